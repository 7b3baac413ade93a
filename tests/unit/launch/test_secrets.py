"""Keys that are in the environment stay out of all that is printed or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wandb

from configs.compose import load_config, to_yaml
from launch.backends.job import BACKENDS
from launch.cli import main
from launch.report import write_report
from launch.run_folder import RunFolder
from launch.trackers import WandbTracker
from tests.run_folders import make_run
from tests.unit.launch.secrets import SECRETS, files_with

NEEDED = {"kubernetes": ["cluster.image=r1:1", "cluster.runs_claim=runs"]}


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


def test_a_planted_secret_is_found(tmp_path: Path) -> None:
    hiding = tmp_path / "deep" / "binary"
    hiding.parent.mkdir()
    hiding.write_bytes(b"\xff\x00" + SECRETS["HF_TOKEN"].encode() + b"\xfe")
    assert files_with(tmp_path, SECRETS.values()) == [hiding]


@pytest.mark.parametrize("kind", BACKENDS)
def test_no_settings_script_or_manifest_holds_one(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"cluster={kind}", *NEEDED.get(kind, []), f"run_dir={tmp_path}/run"]
    assert main(["run", "r1_zero", *words, "tracking.wandb=true", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert f"kind: {kind}" in printed
    assert not any(secret in printed for secret in SECRETS.values())


def test_no_run_folder_and_no_report_holds_one(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    config = load_config(["recipe=r1_zero", f"run_dir={tmp_path}/other"])
    RunFolder(config).begin_attempt()
    (tmp_path / "settings.yaml").write_text(to_yaml(config))
    assert write_report(run).is_file()
    assert files_with(tmp_path, SECRETS.values()) == []


def test_weights_and_biases_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init = wandb.init

    def offline(**given: Any) -> Any:
        assert given["mode"] == "online", "the planted key was not seen"
        return init(**given | {"mode": "offline", "resume": None})

    monkeypatch.setattr(wandb, "init", offline)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = load_config(["recipe=r1_zero", f"run_dir={tmp_path}/run"])
    folder = RunFolder(config)
    tracker = WandbTracker(config, folder.path)
    tracker.log(1, {"reward": 0.5})
    tracker.close(broken_off=False)
    assert list(folder.path.glob("wandb/offline-run-*/*.wandb"))
    assert files_with(tmp_path, SECRETS.values()) == []
