"""The real W&B offline, read back with its own reader."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from launch.alarms import Alarm
from launch.trackers import WandbTracker
from rl.records import Outcome
from tests.loop.fakes import make_config
from tests.run_folders import RIGHT, WRONG, group, sample

pytestmark = pytest.mark.integration

PLANTED = {
    "WANDB_API_KEY": "0123456789abcdef" * 2 + "wandbkey",
    "HF_TOKEN": "hf_planted_token_of_nobody",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder in which two attempts of one run have logged, with secrets around them."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**PLANTED, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}.items():
            patch.setenv(name, value)
        for steps in ((1, 2), (2, 3)):
            tracker = WandbTracker(make_config(), folder)
            tracker.evaluation(steps[0] - 1, {"eval/pass_at_1": 0.25})
            for step in steps:
                tracker.log(step, {"critic/score/mean": step / 10})
            tracker.alarm(steps[-1], Alarm("disk", "4.2% of the disk is free"))
            wrong = sample(WRONG, Outcome.WRONG)
            tracker.rollouts(steps[-1], [group("a", [sample(RIGHT), wrong])])
            tracker.close(broken_off=False)
    return folder


def records(run: Path) -> list[list[Mapping[str, Any]]]:
    """Of each attempt, everything that W&B has kept."""
    found = []
    for folder in sorted((run / "wandb").glob("offline-run-*")):
        reader = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json"]
        done = subprocess.run([*reader, str(folder)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append([json.loads(line) for line in done.stdout.splitlines()])
    return found


def test_steps_are_our_own_and_both_attempts_are_one_run(run: Path) -> None:
    attempts = records(run)
    kept = [
        [
            (
                record["history"]["item"]["train/step"],
                record["history"]["item"]["critic/score/mean"],
            )
            for record in attempt
            if "critic/score/mean" in record.get("history", {}).get("item", {})
        ]
        for attempt in attempts
    ]
    assert kept == [[(1, 0.1), (2, 0.2)], [(2, 0.2), (3, 0.3)]]
    ids = {path.name.rpartition("-")[2] for path in (run / "wandb").glob("offline-run-*")}
    assert len(ids) == 1
    axes = [record["metric"] for record in attempts[0] if "metric" in record]
    assert any(a.get("glob_name") == "*" and a["step_metric"] == "train/step" for a in axes)


def test_an_evaluation_stands_at_its_step(run: Path) -> None:
    items = [record.get("history", {}).get("item", {}) for record in records(run)[0]]
    found = [
        (item["train/step"], item["eval/pass_at_1"]) for item in items if "eval/pass_at_1" in item
    ]
    assert found == [(0, 0.25)]


def test_alarms_and_a_table_of_rollouts(run: Path) -> None:
    text = json.dumps(records(run)[0])
    assert "disk at step 2" in text and "4.2% of the disk is free" in text
    first = min((run / "wandb").glob("offline-run-*"))
    (table,) = first.glob("files/media/table/rollouts/samples_*.json")
    rows = json.loads(table.read_text())["data"]
    assert [(row[0], row[2], row[3], row[5]) for row in rows] == [
        (2, "7", RIGHT, "correct"),
        (2, "7", WRONG, "wrong"),
    ]


def test_no_secret_is_in_any_file_of_the_run(run: Path) -> None:
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) > 6
    for path in files:
        content = path.read_bytes()
        for name, secret in PLANTED.items():
            assert secret.encode() not in content, f"{name} is in {path}"
