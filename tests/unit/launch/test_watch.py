"""Who hears of an alarm, when, and how often."""

from __future__ import annotations

import threading

import pytest

import launch.alarms
from launch.alarms import Alarm, Line, alarms
from launch.watch import Watch
from tests.unit.launch.test_alarms import HEALTHY, changed

CLIPPED = changed(15, response_length__clip_ratio=0.9)


def heard(lines: list[Line], earlier: list[Line] | None = None) -> list[str]:
    told: list[Alarm] = []
    watch = Watch(earlier or [], told.append)
    for line in lines:
        watch.step(line)
    watch.stop()
    return [alarm.name for alarm in told]


def test_an_alarm_is_told_once_when_it_begins() -> None:
    assert heard(HEALTHY) == []
    assert heard(CLIPPED) == ["length_clipping"]


def test_a_restart_does_not_tell_of_it_again() -> None:
    assert heard(CLIPPED[-3:], earlier=CLIPPED[:-3]) == []
    assert heard(CLIPPED[-15:], earlier=CLIPPED[:-15]) == ["length_clipping"]


def test_a_long_run_is_judged_by_its_two_ends() -> None:
    watch = Watch([], lambda alarm: None)
    history = [{**line, "rollout/mismatch_kl": 0.002 + 0.002 * i} for i, line in enumerate(HEALTHY)]
    for line in history:
        watch.step(line)
    watch.stop()
    assert watch.alarms == alarms(history)
    assert [alarm.name for alarm in watch.alarms] == ["mismatch_growing"]


def test_a_step_that_does_not_end_is_told_while_the_driver_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch.alarms, "STALL_FLOOR_S", 0.0)
    told: list[Alarm] = []
    late = threading.Event()

    def tell(alarm: Alarm) -> None:
        told.append(alarm)
        late.set()

    watch = Watch([], tell)
    watch.step({"timing_s/step": 0.05})
    assert watch.late_after_s == pytest.approx(0.15)
    assert late.wait(5.0) and [alarm.name for alarm in told] == ["stalled"]
    late.clear()
    watch.step({"timing_s/step": 0.05})
    watch.stop()
    assert not late.wait(0.4) and watch.late_after_s is None
