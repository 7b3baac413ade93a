"""Rewards are computed while others are still being generated, over a real Ray."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import ray

from configs.rewards import RewardSettings
from launch.cluster import start_ray, stop_ray
from launch.rollouts import GenerationPlan, RayRollouts
from launch.sampler_group import SamplerGroup
from rl.records import Completion, GenerationRequest, Outcome, Prompt, SamplingSettings, Score
from rollout.journal import Journal

pytestmark = pytest.mark.integration

BATCHES = 4
BATCH_S = 0.3
PROMPTS = [Prompt(f"p{i}", f"question {i}", (1, 2), "7") for i in range(4)]
SAMPLES = 2


class SlowSampler:
    """Takes its time for each batch, in which prompts are mixed."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: SamplingSettings
    ) -> Iterator[list[Completion]]:
        for batch in range(BATCHES):
            time.sleep(BATCH_S)
            self.times.append(time.monotonic())
            yield [
                Completion(r.prompt.id, r.sample_index, text_of(r), (3,), (-0.5,), 0, "stop")
                for r in requests[batch::BATCHES]
            ]

    def yielded(self) -> list[float]:
        return self.times


class Scorer:
    """Rewards that tell the completions apart."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def score(
        self, completions: Sequence[Completion], prompts: Mapping[str, Prompt], max_tokens: int
    ) -> list[Score]:
        self.times.append(time.monotonic())
        assert all(each.prompt_id in prompts for each in completions) and max_tokens == 8
        return [Score(reward_of(each.text), Outcome.CORRECT, {}) for each in completions]

    def started(self) -> list[float]:
        return self.times


def text_of(request: GenerationRequest) -> str:
    return f"{request.prompt.id[1:]}.{request.sample_index}"


def reward_of(text: str) -> float:
    return float(text)


@pytest.fixture
def actors(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, list[Any]]]:
    """A sampler and two reward actors, whose processes are there already."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    start_ray(1)
    try:
        make = cast(Any, ray.remote(num_cpus=0))
        sampler, scorers = make(SlowSampler).remote(), [make(Scorer).remote() for _ in range(2)]
        ray.get([sampler.yielded.remote(), *(each.started.remote() for each in scorers)])
        yield sampler, scorers
    finally:
        stop_ray()


def test_the_first_batch_is_scored_before_the_last_one_exists(
    actors: tuple[Any, list[Any]], tmp_path: Path
) -> None:
    sampler, scorers = actors
    plan = GenerationPlan(0, SAMPLES, wave_prompts=0, timeout_s=60.0, reward=RewardSettings())

    def nobody(index: int) -> None:
        raise AssertionError(f"sampler {index} has not died")

    rollouts = RayRollouts(
        SamplerGroup([sampler], plan.timeout_s),
        scorers,
        Journal(tmp_path),
        plan,
        replace_sampler=nobody,
        turns=None,
    )
    groups = rollouts.generate(PROMPTS, SamplingSettings(1.0, 1.0, 8), SAMPLES, ("rollout", 1))

    yielded = ray.get(sampler.yielded.remote())
    starts = [ray.get(each.started.remote()) for each in scorers]
    assert len(yielded) == BATCHES
    assert [len(each) for each in starts] == [BATCHES // 2] * 2, "they take turns"
    assert min(map(min, starts)) < yielded[-1]
    assert [group.prompt for group in groups] == PROMPTS
    assert [[each.sample_index for each in group.completions] for group in groups] == [[0, 1]] * 4
    assert [[score.reward for score in group.scores] for group in groups] == [
        [i + 0.0, i + 0.1] for i in range(4)
    ]
