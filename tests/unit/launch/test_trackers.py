"""metrics.jsonl survives crashes and restarts."""

from __future__ import annotations

from pathlib import Path

from launch.trackers import JsonlTracker, read_metrics


def test_restart_drops_steps_that_will_run_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    first = JsonlTracker(path, 0)
    for step in (1, 2, 3):
        first.log(step, {"reward": step / 10})
    first.close()
    second = JsonlTracker(path, 2)
    second.log(3, {"reward": 0.7})
    second.close()
    assert [(m["step"], m["reward"]) for m in read_metrics(path)] == [(1, 0.1), (2, 0.2), (3, 0.7)]


def test_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "reward": 0.1}\n{"step": 2, "rew')
    assert read_metrics(path) == [{"step": 1, "reward": 0.1}]
    JsonlTracker(path, 1).log(2, {"reward": 0.2})
    assert [line["step"] for line in read_metrics(path)] == [1, 2]
