"""metrics.jsonl survives crashes and restarts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launch.trackers import JsonlTracker, read_metrics


def test_restart_drops_steps_that_will_run_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = JsonlTracker(path, 0)
    for step in (1, 2, 3):
        first.log(step, {"reward": step / 10})
    first.close(broken_off=True)
    second = JsonlTracker(path, 2)
    second.log(3, {"reward": 0.7})
    second.close(broken_off=False)
    assert [(m["step"], m["reward"]) for m in read_metrics(path)] == [(1, 0.1), (2, 0.2), (3, 0.7)]


@pytest.mark.parametrize("tail", ['{"step": 2, "rew', '{"step": 2, "reward": 0.2}'])
def test_line_cut_short_by_a_crash_is_left_out(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "reward": 0.1}\n' + tail)
    assert read_metrics(path) == [{"step": 1, "reward": 0.1}]
    JsonlTracker(path, 1).log(2, {"reward": 0.2})
    assert [line["step"] for line in read_metrics(path)] == [1, 2]


def test_restart_that_cannot_write_leaves_the_old_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError("no space left")

    path = tmp_path / "metrics.jsonl"
    old = '{"step": 1, "reward": 0.1}\n{"step": 2, "reward": 0.2}\n'
    path.write_text(old)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        JsonlTracker(path, 1)
    assert path.read_text() == old
