"""Samplers that die are left out or replaced; those that do not answer end the run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.exceptions import ActorDiedError, GetTimeoutError

from launch.cluster import WorkerLost
from launch.sampler_group import SamplerGroup


def group(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> SamplerGroup:
    def get(answer: Any, timeout: float) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    def actor(answer: Any) -> Any:
        call = SimpleNamespace(remote=lambda: answer)
        return SimpleNamespace(load=call, process_id=call)

    monkeypatch.setattr(ray, "get", get)
    return SamplerGroup([actor(answer) for answer in answers], 60.0, lambda index: f"new {index}")


def test_a_dead_sampler_has_no_load_and_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    samplers = group(monkeypatch, "busy", ActorDiedError())
    assert samplers.loads() == ["busy"]
    samplers.replace_the_dead()
    assert samplers.actors[1] == "new 1"


def test_a_sampler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    samplers = group(monkeypatch, "busy", GetTimeoutError())
    for call in (samplers.loads, samplers.replace_the_dead):
        with pytest.raises(WorkerLost, match="sampler 1 does not answer within 60 s"):
            call()
