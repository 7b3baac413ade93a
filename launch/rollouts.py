"""Rollouts over Ray: samplers generate, reward actors score what is finished, the journal keeps it.

    consumes  prompts of a step, in waves
    produces  scored groups, written to the journal wave by wave
    waits for samplers (batches of finished completions) and reward actors (their scores)

Assignment of prompts to samplers and all seeds are functions of (run seed, step, prompt, sample),
and a wave is generated as a whole, so a wave generated again is the same to the bit.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray

from configs.rewards import RewardSettings
from launch.cluster import WorkerLost, wait_all
from launch.preferences import Preferences
from launch.transfer import Turns
from rewards.scoring import with_neutral_language
from rl.records import Completion, GenerationRequest, Group, Prompt, SamplingSettings, Score
from rl.seeds import seed_for
from rollout.journal import Journal

logger = logging.getLogger(__name__)

QUEUED_BATCHES = 64
"""Batches that wait for one reward actor before the samplers have to wait too."""


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """Who generates how much."""

    run_seed: int
    samples_per_prompt: int
    wave_prompts: int
    """Prompts per wave; 0: all at once."""
    timeout_s: float
    reward: RewardSettings


class RayRollouts:
    """The Rollouts protocol over sampler and reward actors."""

    def __init__(
        self,
        samplers: Sequence[Any],
        scorers: Sequence[Any],
        journal: Journal,
        plan: GenerationPlan,
        turns: Turns | None,
        preferences: Preferences | None = None,
    ) -> None:
        """turns: None where no learner shares the devices. preferences: rates the responses to
        general prompts, where there are any."""
        self._samplers = samplers
        self._scorers = scorers
        self._journal = journal
        self._plan = plan
        self._turns = turns
        self._preferences = preferences

    def journalled(self, step: int, prompts: Sequence[Prompt]) -> bool:
        return len(self._journal.read(step)) == len(self._waves(prompts))

    def collect(
        self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings
    ) -> list[Group]:
        finished = self._journal.read(step)
        for index, wave in enumerate(self._waves(prompts)):
            if index not in finished:
                finished[index] = self.generate(
                    wave, sampling, self._plan.samples_per_prompt, ("rollout", step)
                )
                self._journal.write(step, index, finished[index])
                logger.info("step %d: wave %d generated and journalled", step, index)
        return [group for index in sorted(finished) for group in finished[index]]

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: SamplingSettings,
        samples_per_prompt: int,
        purpose: tuple[str, int],
    ) -> list[Group]:
        """Scored groups of one wave, in the order of prompts. purpose goes into the seeds."""
        if self._turns is not None:
            self._turns.samplers()
        prompts_ref = ray.put({prompt.id: prompt for prompt in prompts})
        streams = {}
        for index, sampler in enumerate(self._samplers):
            own = prompts[index :: len(self._samplers)]
            requests = requests_for(own, samples_per_prompt, self._plan.run_seed, purpose)
            if requests:
                streams[sampler.generate.remote(requests, sampling)] = f"sampler {index}"
        batches, scores = self._drain(streams, prompts_ref, sampling.max_tokens)
        groups = _group(prompts, samples_per_prompt, batches, scores)
        if self._preferences is not None:
            if self._turns is not None:
                self._turns.reward_models()
            groups = self._preferences(groups)
        if self._turns is not None:
            self._turns.learner()
        return [
            replace(group, scores=tuple(with_neutral_language(group.scores, self._plan.reward)))
            for group in groups
        ]

    def _waves(self, prompts: Sequence[Prompt]) -> list[Sequence[Prompt]]:
        size = self._plan.wave_prompts or len(prompts)
        return [prompts[start : start + size] for start in range(0, len(prompts), size)]

    def _drain(
        self, streams: dict[Any, str], prompts_ref: Any, max_tokens: int
    ) -> tuple[list[list[Completion]], list[list[Score]]]:
        """Send each batch of completions to a reward actor the moment it exists."""
        batch_refs: list[Any] = []
        senders: list[str] = []
        score_refs: list[Any] = []
        unscored: list[Any] = []
        running: list[Any] = list(streams)
        while running:
            ready, _ = ray.wait(running, num_returns=1, timeout=self._plan.timeout_s)
            if not ready:
                late = ", ".join(streams[stream] for stream in running)
                raise WorkerLost(
                    f"generation: nothing from {late} within {self._plan.timeout_s:.0f} s"
                )
            stream: Any = ready[0]
            batch_ref = next(stream, None)
            if batch_ref is None:
                running.remove(stream)
                continue
            scorer = self._scorers[len(batch_refs) % len(self._scorers)]
            batch_refs.append(batch_ref)
            senders.append(streams[stream])
            score_refs.append(scorer.score.remote(batch_ref, prompts_ref, max_tokens))
            unscored.append(score_refs[-1])
            while len(unscored) >= QUEUED_BATCHES * len(self._scorers):
                done, unscored = ray.wait(unscored, timeout=self._plan.timeout_s)
                if not done:
                    raise WorkerLost(f"rewards: nothing within {self._plan.timeout_s:.0f} s")
        names = [f"reward actor {i % len(self._scorers)}" for i in range(len(score_refs))]
        timeout_s = self._plan.timeout_s
        batches = wait_all(batch_refs, what="generation", names=senders, timeout_s=timeout_s)
        scores = wait_all(score_refs, what="rewards", names=names, timeout_s=timeout_s)
        return batches, scores


def requests_for(
    prompts: Sequence[Prompt], samples_per_prompt: int, run_seed: int, purpose: tuple[str, int]
) -> list[GenerationRequest]:
    """Every sample of every prompt with its seed; purpose is ("rollout", step), for example."""
    return [
        GenerationRequest(prompt, sample, seed_for(run_seed, *purpose, prompt.id, sample))
        for prompt in prompts
        for sample in range(samples_per_prompt)
    ]


def _group(
    prompts: Sequence[Prompt],
    samples_per_prompt: int,
    batches: Sequence[Sequence[Completion]],
    scores: Sequence[Sequence[Score]],
) -> list[Group]:
    found = {
        (completion.prompt_id, completion.sample_index): (completion, score)
        for batch, batch_scores in zip(batches, scores, strict=True)
        for completion, score in zip(batch, batch_scores, strict=True)
    }
    assert len(found) == len(prompts) * samples_per_prompt, "a completion is missing or doubled"
    groups = []
    for prompt in prompts:
        pairs = [found[prompt.id, sample] for sample in range(samples_per_prompt)]
        groups.append(
            Group(
                prompt=prompt,
                completions=tuple(completion for completion, _ in pairs),
                scores=tuple(score for _, score in pairs),
            )
        )
    return groups
