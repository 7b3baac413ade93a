"""Attempts of a run on Kubernetes follow each other, and pods that go wait for the checkpoint."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from launch.backends import heartbeat as module
from launch.backends.heartbeat import beats, heartbeat, wait_for_silence
from launch.backends.pod import wait_for_checkpoint
from launch.stop import ask_to_stop, stop_asked


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.05)
    monkeypatch.setattr(module, "SILENT_S", 0.5)


def waiting(what: threading.Thread, seconds: float) -> bool:
    """Whether it still goes on after so long."""
    what.join(seconds)
    return what.is_alive()


def test_silence_begins_when_the_driver_ends(tmp_path: Path) -> None:
    waits = threading.Thread(target=wait_for_silence, args=(tmp_path, 0.02))
    with heartbeat(tmp_path):
        waits.start()
        assert waiting(waits, 1.0)  # twice as long as a dead driver is waited for
    assert not waiting(waits, 0.3)
    assert not beats(tmp_path)


def test_a_killed_driver_is_found_dead(tmp_path: Path) -> None:
    (tmp_path / module.FILE).write_text("7")
    began = time.monotonic()
    wait_for_silence(tmp_path, 0.02)
    assert 0.5 <= time.monotonic() - began < 2.0


def test_a_pod_that_goes_asks_for_a_break_and_waits_for_it(tmp_path: Path) -> None:
    waits = threading.Thread(target=wait_for_checkpoint, args=(tmp_path,))
    with heartbeat(tmp_path):
        while not beats(tmp_path):
            time.sleep(0.01)
        waits.start()
        assert waiting(waits, 0.7)
        assert stop_asked(tmp_path) == "break"
    assert not waiting(waits, 3.0)


def test_a_pod_that_goes_leaves_a_final_stop_as_it_is(tmp_path: Path) -> None:
    ask_to_stop(tmp_path)
    (tmp_path / module.FILE).write_text("7")
    wait_for_checkpoint(tmp_path)
    assert stop_asked(tmp_path) == "final"


def test_a_pod_without_a_driver_goes_at_once(tmp_path: Path) -> None:
    wait_for_checkpoint(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []
