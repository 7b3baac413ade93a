"""`launch run r1/cold_start_data` as a user gives it: killed, continued, counted, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from configs.schema import NanoModel
from launch.cli import main
from recipes.nano_base import build_base
from recipes.nano_tokenizer import build_tokenizer
from recipes.nano_world import draw_problems
from rewards.math import MathChecker
from rl.records import Outcome
from tests.faults.harness import leftover_processes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PROBLEMS, SAMPLES, WAVES = 48, 4, 3
LIMIT_S = 400


def words(run_dir: Path, *more: str) -> list[str]:
    return [
        *("run", "r1/cold_start_data", f"data.train_problems={PROBLEMS}"),
        *("data.heldout_problems=8", f"rollout.samples_per_prompt={SAMPLES}"),
        *(f"rollout.wave_prompts={PROBLEMS // WAVES}", "rollout.kv_cache_gib=0.25"),
        *("rollout.samplers=1", f"run_dir={run_dir}", *more),
    ]


def start(run_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "launch.cli", *words(run_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, output
    return output


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def kill_after_the_first_wave(run_dir: Path) -> None:
    process = start(run_dir)
    deadline = time.monotonic() + LIMIT_S
    while not list((run_dir / "journal").glob("000000-*.parquet")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "no first wave"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def killed_and_continued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build_base(NanoModel())
    run_dir = tmp_path_factory.mktemp("runs") / "cold"
    kill_after_the_first_wave(run_dir)
    kept = {path.name: path.stat().st_mtime_ns for path in (run_dir / "journal").glob("*.parquet")}
    assert 1 <= len(kept) < WAVES and not (run_dir / "data.jsonl").exists()
    output = finish(start(run_dir))
    assert "data.jsonl" in output and "the answer is not right" in output
    for name, written in kept.items():
        assert (run_dir / "journal" / name).stat().st_mtime_ns == written
    assert not leftover_processes(run_dir)
    return run_dir


def test_rows_are_right_readable_and_in_cold_start_style(killed_and_continued: Path) -> None:
    rows = lines(killed_and_continued / "data.jsonl")
    problems = draw_problems(PROBLEMS, heldout=False, seed=0)
    tokenizer = build_tokenizer()
    assert len(rows) >= 8
    with MathChecker() as checker:
        for row in rows:
            number = int(row["id"].split("-")[2])
            question, said = (message["content"] for message in row["messages"])
            assert question in problems[number].prompt
            assert checker.check(said, problems[number].answer).outcome is Outcome.CORRECT
            opening = {"en": "<think> let me check:", "zh": "<think>我想想:"}[row["language"]]
            assert said.startswith(opening)
            assert tokenizer.unk_token_id not in tokenizer.encode(said)


def test_no_sample_is_lost(killed_and_continued: Path) -> None:
    counts = json.loads((killed_and_continued / "counts.json").read_text())
    rows = lines(killed_and_continued / "data.jsonl")
    rejected = lines(killed_and_continued / "rejected.jsonl")
    assert counts["samples"] == PROBLEMS * SAMPLES == len(rows) + len(rejected)
    names = {row["id"] for row in rows} | {row["name"] for row in rejected}
    assert len(names) == PROBLEMS * SAMPLES
    for line in counts["filters"]:
        assert line["dropped"] == sum(row["reason"] == line["filter"] for row in rejected)
    assert counts["filters"][-1]["left"] == counts["kept"] == len(rows)
    assert sum(entry["samples"] for entry in counts["domains"].values()) == len(rows)


def test_it_is_finished_and_other_settings_are_refused(
    killed_and_continued: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (killed_and_continued / "data.jsonl").stat().st_mtime_ns
    assert main(words(killed_and_continued, "recipe.keep_per_prompt=2")) == 2
    assert "recipe.keep_per_prompt: 1 there, 2 now" in capsys.readouterr().err
    assert main(words(killed_and_continued)) == 0
    assert "rows" in capsys.readouterr().out
    assert (killed_and_continued / "data.jsonl").stat().st_mtime_ns == before


@pytest.mark.slow
def test_it_ends_with_the_bytes_of_an_uninterrupted_run(
    killed_and_continued: Path, tmp_path: Path
) -> None:
    finish(start(tmp_path / "whole"))
    for name in ("data.jsonl", "rejected.jsonl", "counts.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (
            killed_and_continued / name
        ).read_bytes()
