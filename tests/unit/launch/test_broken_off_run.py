"""What the folder of a run says when it does not come to its end."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from configs.compose import load_config
from configs.errors import UserError
from launch import run as run_module
from launch.run import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_USER, run
from launch.run_folder import RunFolder


@pytest.mark.parametrize(
    ("error", "phase", "message", "code"),
    [
        (KeyboardInterrupt(), "interrupted", None, EXIT_INTERRUPTED),
        (UserError("data.path=x: no such file"), "failed", "data.path=x: no such file", EXIT_USER),
        (ZeroDivisionError("first\nsecond"), "failed", "ZeroDivisionError: first", EXIT_ERROR),
        (AssertionError(), "failed", "AssertionError: ", EXIT_ERROR),
    ],
)
def test_how_it_broke_off(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    phase: str,
    message: str | None,
    code: int,
) -> None:
    monkeypatch.setattr(run_module, "protect_ray", lambda path: None)
    monkeypatch.setattr(run_module, "_do", break_off_with(error))
    with pytest.raises(type(error)):
        run(load_config([f"run_dir={tmp_path}"]))
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["phase"], status.get("message"), status["step"]) == (phase, message, 7)
    assert json.loads((tmp_path / "run.json").read_text())[-1]["exit_code"] == code


def test_a_finished_run_stays_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while Ray ends, when all is done."""
    monkeypatch.setattr(run_module, "protect_ray", lambda path: None)
    monkeypatch.setattr(run_module, "_do", break_off_with(KeyboardInterrupt(), phase="finished"))
    config = load_config([f"run_dir={tmp_path}", "recipe.steps=7"])
    with pytest.raises(KeyboardInterrupt):
        run(config)
    assert RunFolder(config).finished_steps() == 7


def test_a_full_disk_does_not_hide_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(folder: RunFolder, config: object, title: str) -> None:
        folder.write_status(phase="training", step=7)
        monkeypatch.setattr(os, "fsync", no_space)
        raise ZeroDivisionError("the error itself")

    monkeypatch.setattr(run_module, "protect_ray", lambda path: None)
    monkeypatch.setattr(run_module, "_do", fill_the_disk)
    with pytest.raises(ZeroDivisionError, match="the error itself"):
        run(load_config([f"run_dir={tmp_path}"]))
    assert json.loads((tmp_path / "status.json").read_text())["step"] == 7
    with pytest.raises(UserError, match=r"no space left for .*config\.yaml: free some space"):
        run(load_config([f"run_dir={tmp_path}"]))
    assert not list(tmp_path.glob(".*"))


def no_space(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def break_off_with(error: BaseException, phase: str = "training"):
    def do(folder: RunFolder, config: object, title: str) -> None:
        folder.write_status(phase=phase, step=7)
        raise error

    return do
