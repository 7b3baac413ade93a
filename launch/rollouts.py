"""Rollouts over Ray: samplers generate, reward actors score what is finished, the journal keeps it.

    consumes  prompts of a step, in waves
    produces  scored groups, written to the journal wave by wave
    waits for samplers (batches of finished completions) and reward actors (their scores)

Assignment of prompts to samplers and all seeds are functions of (run seed, step, prompt, sample),
and a wave is generated as a whole, so a wave generated again is the same to the bit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

import ray
from ray.exceptions import RayTaskError

from configs.rewards import RewardSettings
from launch.cluster import WorkerLost, wait_all
from launch.deaths import DEATHS
from launch.preferences import Preferences
from launch.sampler_group import SamplerGroup
from launch.transfer import Turns
from rewards.scoring import with_neutral_language
from rl.records import Completion, GenerationRequest, Group, Prompt, SamplingSettings, Score
from rl.seeds import seed_for
from rollout.engine_load import EngineLoad, load_metrics
from rollout.journal import Journal

logger = logging.getLogger(__name__)

QUEUED_BATCHES = 64
"""Batches that wait for one reward actor before the samplers have to wait too."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """References of a batch of completions and of their scores, and who scores them."""

    batch: Any
    scores: Any
    scorer: str


@dataclass(frozen=True, slots=True)
class _Made:
    """The rollouts of a step, and how busy the engines were with those that are new."""

    groups: list[Group]
    loads: list[EngineLoad]


class _Ahead:
    """A step that is generated in a thread, which ends with the process: when the driver stops,
    nobody waits for it."""

    def __init__(self, step: int, make: Callable[[], _Made]) -> None:
        self.step = step
        self._future: Future[_Made] = Future()
        Thread(target=self._run, args=(make,), daemon=True).start()

    def result(self) -> _Made:
        """Once it is there; what went wrong is raised here. Every wait in it has a limit."""
        return self._future.result()

    def _run(self, make: Callable[[], _Made]) -> None:
        try:
            self._future.set_result(make())
        except BaseException as error:  # to be raised where it is waited for
            self._future.set_exception(error)


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
        samplers: SamplerGroup,
        scorers: Sequence[Any],
        journal: Journal,
        plan: GenerationPlan,
        *,
        replace_sampler: Callable[[int], None],
        turns: Turns | None,
        preferences: Preferences | None = None,
    ) -> None:
        """replace_sampler: puts a new sampler with the same weights in the place of one that has
        died, or raises WorkerLost. turns: None where no learner shares the devices. preferences:
        rates the responses to general prompts, where there are any."""
        self._samplers = samplers
        self._scorers = scorers
        self._journal = journal
        self._plan = plan
        self._replace_sampler = replace_sampler
        self._turns = turns
        self._preferences = preferences
        self._loads: Sequence[EngineLoad] = ()
        self._ahead: _Ahead | None = None

    def is_begun(self, step: int, prompts: Sequence[Prompt]) -> bool:
        if self._ahead is not None and self._ahead.step == step:
            return True
        return len(self._journal.read(step)) == len(self._waves(prompts))

    def begin(self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings) -> None:
        assert self._ahead is None, f"step {self._ahead.step} is still being generated"
        self._ahead = _Ahead(step, lambda: self._make(step, prompts, sampling))

    def collect(
        self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings
    ) -> list[Group]:
        ahead, self._ahead = self._ahead, None
        assert ahead is None or ahead.step == step, f"step {ahead.step} was begun, not {step}"
        made = ahead.result() if ahead else self._make(step, prompts, sampling)
        self._loads = made.loads
        return made.groups

    def settle(self) -> None:
        """Wait until what was begun is in the journal: before the samplers are needed for something
        else, and before a checkpoint, after which nobody could generate it with the same weights.
        """
        if self._ahead is not None:
            self._ahead.result()

    def _make(self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings) -> _Made:
        """All waves of a step, those of the journal and new ones."""
        waves, finished, loads = self._waves(prompts), self._journal.read(step), []
        while missing := [index for index in range(len(waves)) if index not in finished]:
            index, purpose = missing[0], ("rollout", step)
            made = self._generate(waves[index], sampling, self._plan.samples_per_prompt, purpose)
            loads += self._samplers.loads()
            # One policy samples a step. That of the others is gone if this one was lost later.
            for other in [i for i in finished if _version(finished[i]) != _version(made)]:
                self._journal.discard(step, other)
                del finished[other]
                logger.info("step %d: wave %d is of another policy, made again", step, other)
            self._journal.write(step, index, made)
            finished[index] = made
            logger.info("step %d: wave %d generated and journalled", step, index)
        if self._turns is not None:
            self._turns.learner()
        return _Made([group for index in sorted(finished) for group in finished[index]], loads)

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: SamplingSettings,
        samples_per_prompt: int,
        purpose: tuple[str, int],
    ) -> list[Group]:
        """Scored groups of one wave, in the order of prompts. purpose goes into the seeds."""
        groups = self._generate(prompts, sampling, samples_per_prompt, purpose)
        if self._turns is not None:
            self._turns.learner()
        return groups

    def _generate(
        self,
        prompts: Sequence[Prompt],
        sampling: SamplingSettings,
        samples_per_prompt: int,
        purpose: tuple[str, int],
    ) -> list[Group]:
        """The same, without giving the devices to the learner afterwards."""
        if self._turns is not None:
            self._turns.samplers()
        requests = {
            index: requests_for(own, samples_per_prompt, self._plan.run_seed, purpose)
            for index in range(len(self._samplers))
            if (own := prompts[index :: len(self._samplers)])
        }
        prompts_ref = ray.put({prompt.id: prompt for prompt in prompts})
        batches, scores = self._drain(requests, prompts_ref, sampling)
        groups = _group(prompts, samples_per_prompt, batches, scores)
        if self._preferences is not None:
            if self._turns is not None:
                self._turns.reward_models()
            groups = self._preferences(groups)
        return [
            replace(group, scores=tuple(with_neutral_language(group.scores, self._plan.reward)))
            for group in groups
        ]

    def load(self) -> dict[str, float]:
        """Metrics of the engines in what was generated for the last collect."""
        return load_metrics(self._loads)

    def _waves(self, prompts: Sequence[Prompt]) -> list[Sequence[Prompt]]:
        size = self._plan.wave_prompts or len(prompts)
        return [prompts[start : start + size] for start in range(0, len(prompts), size)]

    def _drain(
        self,
        requests: Mapping[int, Sequence[GenerationRequest]],
        prompts_ref: Any,
        sampling: SamplingSettings,
    ) -> tuple[list[list[Completion]], list[list[Score]]]:
        """Send each batch of completions to a reward actor the moment it exists.

        requests: sampler -> its part. When a sampler dies, its whole part is sampled again: the
        rest alone would be another batch, which is not the same to the bit.
        """
        streams = {self._begin(index, requests, sampling): index for index in requests}
        sent: dict[int, list[_Sent]] = {index: [] for index in requests}
        died: set[int] = set()
        unscored: list[Any] = []
        while streams:
            stream, batch_ref = self._next(streams)
            index = streams[stream]
            if batch_ref is not None:
                turn = sum(map(len, sent.values())) % len(self._scorers)
                score = self._scorers[turn].score
                score_ref = score.remote(batch_ref, prompts_ref, sampling.max_tokens)
                sent[index].append(_Sent(batch_ref, score_ref, f"reward actor {turn}"))
                unscored = self._when_few_wait([*unscored, score_ref])
                continue
            del streams[stream]
            if self._has_died(sent[index]):
                if index in died:
                    raise WorkerLost(f"generation: sampler {index} died twice in one wave")
                died.add(index)
                self._replace_sampler(index)
                sent[index] = []
                streams[self._begin(index, requests, sampling)] = index
        every = [(index, each) for index, batches in sent.items() for each in batches]
        batches = wait_all(
            [each.batch for _, each in every],
            what="generation",
            names=[f"sampler {index}" for index, _ in every],
            timeout_s=self._plan.timeout_s,
        )
        scores = wait_all(
            [each.scores for _, each in every],
            what="rewards",
            names=[each.scorer for _, each in every],
            timeout_s=self._plan.timeout_s,
        )
        return batches, scores

    def _begin(
        self,
        index: int,
        requests: Mapping[int, Sequence[GenerationRequest]],
        sampling: SamplingSettings,
    ) -> Any:
        return self._samplers.actors[index].generate.remote(requests[index], sampling)

    def _next(self, streams: Mapping[Any, int]) -> tuple[Any, Any]:
        """A stream and its next batch, None at its end."""
        ready, _ = ray.wait(list(streams), num_returns=1, timeout=self._plan.timeout_s)
        if not ready:
            late = ", ".join(f"sampler {index}" for index in streams.values())
            raise WorkerLost(f"generation: nothing from {late} within {self._plan.timeout_s:.0f} s")
        stream: Any = ready[0]
        return stream, next(stream, None)

    def _when_few_wait(self, unscored: list[Any]) -> list[Any]:
        """Batches that are not scored yet, once they are few enough to make more."""
        while len(unscored) >= QUEUED_BATCHES * len(self._scorers):
            done, unscored = ray.wait(unscored, timeout=self._plan.timeout_s)
            if not done:
                raise WorkerLost(f"rewards: nothing within {self._plan.timeout_s:.0f} s")
        return unscored

    def _has_died(self, sent: Sequence[_Sent]) -> bool:
        """The last batch of a stream says how it ended."""
        try:
            ray.get(sent[-1].batch, timeout=self._plan.timeout_s)
        except DEATHS:
            return True
        except RayTaskError:
            return False  # raised there, and to be raised here
        return False


def requests_for(
    prompts: Sequence[Prompt], samples_per_prompt: int, run_seed: int, purpose: tuple[str, int]
) -> list[GenerationRequest]:
    """Every sample of every prompt with its seed; purpose is ("rollout", step), for example."""
    return [
        GenerationRequest(prompt, sample, seed_for(run_seed, *purpose, prompt.id, sample))
        for prompt in prompts
        for sample in range(samples_per_prompt)
    ]


def _version(wave: Sequence[Group]) -> int:
    """Of the policy that sampled it."""
    return wave[0].completions[0].policy_version


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
