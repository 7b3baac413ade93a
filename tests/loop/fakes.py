"""The outside world of the loop in a few lines: every call is written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from configs.clusters import LocalCluster
from configs.data_sets import NanoData
from configs.rewards import RewardSettings
from configs.schema import (
    AlgorithmSettings,
    NanoModel,
    RlConfig,
    RlLearner,
    RlRecipe,
    RlTracking,
    RolloutSettings,
)
from rl.protocols import Policy, StepResult
from rl.records import Completion, Group, Outcome, Prompt, Row, SamplingSettings, Score

GROUP_SIZE = 4


def make_config(
    *,
    steps: int = 3,
    mini_batches: int = 2,
    shuffle: bool = False,
    algorithm: AlgorithmSettings | None = None,
    max_tokens_schedule: dict[int, int] | None = None,
    max_staleness: int = 0,
) -> RlConfig:
    return RlConfig(
        run_dir="unused",
        recipe=RlRecipe(steps=steps),
        model=NanoModel(),
        data=NanoData(),
        reward=RewardSettings(shuffle=shuffle),
        algorithm=algorithm or AlgorithmSettings(reference_refresh_updates=4),
        rollout=RolloutSettings(
            prompts_per_step=2,
            samples_per_prompt=GROUP_SIZE,
            max_tokens=8,
            max_tokens_schedule=max_tokens_schedule or {},
            max_staleness=max_staleness,
        ),
        learner=RlLearner(
            mini_batches=mini_batches, row_tokens=16, learning_rate=0.5, warmup_updates=4
        ),
        cluster=LocalCluster(),
        tracking=RlTracking(),
    )


def make_group(step: int, prompt: Prompt, version: int, rewards: Sequence[float | None]) -> Group:
    """Completions whose tokens name step and sample, so that mix-ups show."""
    completions = tuple(
        Completion(
            prompt_id=prompt.id,
            sample_index=i,
            text=f"{step}-{i}",
            token_ids=tuple([10 + i] * (i + 1)),
            log_probs=tuple([-0.5] * (i + 1)),
            policy_version=version,
            finish_reason="stop",
        )
        for i in range(len(rewards))
    )
    scores = tuple(
        Score(reward, Outcome.CORRECT if reward else Outcome.WRONG, {"accuracy": reward or 0.0})
        for reward in rewards
    )
    return Group(prompt, completions, scores)


def make_prompts(step: int) -> list[Prompt]:
    return [Prompt(f"{step}/{i}", "p", (1, 2, 3), "7") for i in range(2)]


class World:
    """Rollouts, learner, publisher and observer in one; `log` holds the calls in order."""

    num_ranks = 1

    def __init__(self, rewards: Sequence[float | None] = (1.0, 0.0, 0.0, 1.0)) -> None:
        self.rewards = rewards
        self.log: list[tuple[object, ...]] = []
        self.updated: list[list[list[Row]]] = []
        self.results: list[StepResult] = []
        self.journal: dict[int, list[Group]] = {}
        self.published = 0

    def is_begun(self, step: int, prompts: Sequence[Prompt]) -> bool:
        return step in self.journal

    def begin(self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings) -> None:
        self.collect(step, prompts, sampling)

    def publish(self, version: int) -> Mapping[str, float]:
        self.log.append(("publish", version))
        self.published = version
        return {"sync/canary_gap": 0.0}

    def collect(
        self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings
    ) -> list[Group]:
        if step not in self.journal:
            self.log.append(("generate", step, sampling.max_tokens))
            self.journal[step] = [
                make_group(step, prompt, self.published, self.rewards) for prompt in prompts
            ]
        return self.journal[step]

    def log_probs(self, rows: Sequence[Sequence[Row]], policy: Policy) -> list[list[Tensor]]:
        self.log.append(("log_probs", policy))
        return [[-row.token_ids / 100 for row in rank] for rank in rows]

    def updates(
        self, mini_batches: Iterable[tuple[Sequence[Sequence[Row]], float]]
    ) -> list[Mapping[str, float]]:
        return [self.update(rows, learning_rate) for rows, learning_rate in mini_batches]

    def update(self, rows: Sequence[Sequence[Row]], learning_rate: float) -> Mapping[str, float]:
        self.log.append(("update", learning_rate))
        self.updated.append([list(rank) for rank in rows])
        return {"actor/loss": 1.0, "actor/lr": learning_rate}

    def refresh_reference(self) -> None:
        self.log.append(("refresh",))

    def step_finished(self, result: StepResult) -> None:
        self.log.append(("finished", result.state.step, result.state.version))
        self.results.append(result)


def segments(world: World) -> list[Tensor]:
    """The token ids of every sample that was trained on, in order of the updates."""
    return [
        segment
        for update in world.updated
        for rank in update
        for row in rank
        for segment in torch.split(row.token_ids, list(row.segment_lengths))
        if len(segment) > 1
    ]
