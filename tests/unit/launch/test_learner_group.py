"""An export that breaks is the learner's fault, whichever rank it was."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from launch.cluster import WorkerLost
from launch.learner_group import LearnerGroup
from tests.fake_ray import Call, Clock, raised


class Stream:
    """What a streaming call gives: references, and when the next one is there."""

    def __init__(self, *chunks: Call, after_s: float = 0.0) -> None:
        self._chunks = iter(chunks)
        self.after_s = after_s

    def __next__(self) -> Call:
        return next(self._chunks)

    def __iter__(self) -> Iterator[Call]:
        return self


def exported(stream: Stream, *others: Call) -> Iterator[Any]:
    def remote(result: Any) -> Any:
        return SimpleNamespace(remote=lambda: result)

    first = SimpleNamespace(export=SimpleNamespace(options=lambda **_: remote(stream)))
    ranks = [first, *(SimpleNamespace(join_export=remote(call)) for call in others)]
    return LearnerGroup(ranks, timeout_s=60.0).export()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_chunks_come_in_order() -> None:
    chunks = [Call(name) for name in "abc"]
    assert list(exported(Stream(*chunks), Call(None))) == chunks


def test_nobody_waits_for_ever() -> None:
    with pytest.raises(WorkerLost, match="export: nothing from learner rank 0 within 60 s"):
        list(exported(Stream(after_s=1e9)))


def test_a_dead_rank_is_named_before_a_sampler_gets_its_error() -> None:
    good, bad = Call("a"), Call(ActorDiedError())
    given = exported(Stream(good, bad), Call(None))
    assert next(given) is good
    with pytest.raises(WorkerLost, match="export: learner rank 0 died"):
        next(given)

    broken = Call(raised(RuntimeError("gloo: Connection closed by peer")))
    with pytest.raises(WorkerLost, match="export: learner rank 1 died"):
        list(exported(Stream(broken), Call(ActorDiedError(), after_s=2.0)))


def test_an_interruption_is_no_other_error() -> None:
    given = exported(Stream(Call("a"), Call("b")), Call(None))
    next(given)
    with pytest.raises(KeyboardInterrupt):
        given.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
