"""Waits name who is late, who died, and what was raised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from configs.errors import UserError
from launch.cluster import DEATH_KNOWN_S, WorkerLost, ray_token, wait_all
from tests.fake_ray import Call, Clock, raised

BROKEN = raised(RuntimeError("gloo: Connection closed by peer"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def wait(calls: Sequence[Call]) -> list[Any]:
    names = [f"rank {index}" for index in range(len(calls))]
    return wait_all(calls, what="update", names=names, timeout_s=600.0)


def test_results_come_in_the_order_of_the_calls(clock: Clock) -> None:
    assert wait([Call("a", after_s=2.0), Call("b", after_s=1.0)]) == ["a", "b"]


def test_who_is_late_is_named(clock: Clock) -> None:
    with pytest.raises(WorkerLost, match=r"update: no answer from rank 1 within 600 s"):
        wait([Call("a"), Call("b", after_s=1e9)])


def test_a_death_is_named_though_it_breaks_the_calls_of_others_first(clock: Clock) -> None:
    with pytest.raises(WorkerLost, match="update: rank 2 died"):
        wait([Call(BROKEN), Call(BROKEN, 0.5), Call(ActorDiedError(), 3.0), Call("late", 1e9)])


def test_an_error_without_a_death_is_raised_as_it_was(clock: Clock) -> None:
    with pytest.raises(RuntimeError, match="Connection closed by peer"):
        wait([Call(BROKEN), Call("b", after_s=1e9)])
    assert clock.now == DEATH_KNOWN_S


def test_a_mistake_of_the_users_is_raised_at_once(clock: Clock) -> None:
    with pytest.raises(UserError, match="model"):
        wait([Call(raised(UserError("model: no such folder"))), Call("b", after_s=5.0)])
    assert clock.now == 0.0


def test_a_token_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(size: int) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("secrets.token_hex", killed)
        ray_token(tmp_path)
    token = ray_token(tmp_path).read_text()
    assert len(token) == 64 and ray_token(tmp_path).read_text() == token
    assert (tmp_path / "ray_token").stat().st_mode & 0o777 == 0o600
