"""Who has the devices before, between and after the waves of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs.rewards import RewardSettings
from launch.rollouts import GenerationPlan, RayRollouts
from launch.transfer import Turns
from rl.records import Completion, GenerationRequest, Outcome, SamplingSettings, Score
from rollout.journal import Journal
from tests.loop.fakes import make_prompts

SAMPLING = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=8)


class Rollouts(RayRollouts):
    """Without the actors: every request is answered at once, with an entry in the log."""

    def __init__(self, folder: Path) -> None:
        self.log: list[str] = []
        learner: Any = SimpleNamespace(
            offload=lambda: self.log.append("offload"), reload=lambda: self.log.append("reload")
        )
        self.samplers: Any = Samplers(self.log)
        plan = GenerationPlan(
            run_seed=0, samples_per_prompt=2, wave_prompts=1, timeout_s=1.0, reward=RewardSettings()
        )
        super().__init__(
            self.samplers,
            [],
            Journal(folder),
            plan,
            replace_sampler=lambda index: None,
            turns=Turns(learner, self.samplers, offload=True),
        )

    def _drain(
        self,
        requests: Mapping[int, Sequence[GenerationRequest]],
        prompts_ref: Any,
        sampling: SamplingSettings,
    ) -> tuple[list[list[Completion]], list[list[Score]]]:
        self.log.append("generate")
        completions = [
            Completion(request.prompt.id, request.sample_index, "", (7,), (-0.1,), 0, "stop")
            for request in requests[0]
        ]
        score = Score(1.0, Outcome.CORRECT, {"accuracy": 1.0, "format": 1.0})
        return [completions], [[score] * len(completions)]


class Samplers:
    """One of them."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def __len__(self) -> int:
        return 1

    def each(self, method: str) -> None:
        self._log.append(method)

    def loads(self) -> list[Any]:
        return []


@pytest.fixture
def rollouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rollouts:
    monkeypatch.setattr("launch.rollouts.ray.put", lambda value: value)
    return Rollouts(tmp_path)


def test_the_learner_is_away_for_all_waves_of_a_step(rollouts: Rollouts) -> None:
    rollouts.collect(3, make_prompts(3), SAMPLING)
    assert rollouts.log == ["offload", "generate", "generate", "sleep", "reload"]


def test_a_step_from_the_journal_leaves_the_devices_to_the_learner(
    rollouts: Rollouts, tmp_path: Path
) -> None:
    rollouts.collect(3, make_prompts(3), SAMPLING)
    restarted = Rollouts(tmp_path)
    assert len(restarted.collect(3, make_prompts(3), SAMPLING)) == 2
    assert restarted.log == ["sleep"]


def test_the_learner_has_the_devices_after_an_evaluation(rollouts: Rollouts) -> None:
    rollouts.generate(make_prompts(3), SAMPLING, 2, ("eval", 3))
    assert rollouts.log == ["offload", "generate", "sleep", "reload"]
