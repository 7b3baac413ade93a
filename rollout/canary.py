"""The canary: after every weight update, sampler and learner must agree on fixed prompts.

    prime   before the update: the prompts go through the prefix cache with the old weights
    update  begin_update, receive ..., finish_update
    read    the sampler continues the prompts through the prefix cache, then scores them afresh
    check   the learner scores the same tokens; a gap above the threshold stops the run

Scored tokens show weights that did not arrive; sampled ones also show keys and values that were
cached with the old weights and survived, because priming put them there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal, Protocol, Self

from configs.errors import UserError
from configs.schema import RolloutSettings
from rl.records import Completion, GenerationRequest, Prompt, SamplingSettings

PROMPT_TOKENS = 144
"""Enough for a whole block of any prefix cache (16 to 128 tokens), and for every expert of a
mixture to be routed to by several tokens of the canary."""
SAMPLED_TOKENS = 8
Summary = Literal["max", "mean"]
"""How the differences within one sequence become one number."""
JUDGEMENTS: dict[str, tuple[Summary, float]] = {
    "float32": ("max", 1e-3),
    "bfloat16": ("mean", 0.25),
}
"""By the coarser dtype of sampler and learner: the summary, and the largest accepted gap in nats.

The largest difference shows a single expert, but in bfloat16 a mixture's router flips at so many
tokens (differences of a nat in correct engines) that only the mean tells a fault from rounding.
Rounding alone makes it 0.04 for SmolLM2-135M, and 0.11 after fine-tuning it on a few hundred short
rows, since it then expects little of what stands in the prompts.
"""

LogProbs = Callable[[Sequence[Sequence[int]]], Sequence[Sequence[float]]]
"""Token ids of sequences -> log-prob of each token given those before it, 0 at the first."""


class CanaryError(RuntimeError):
    """The sampler does not compute with the learner's weights."""


class CanarySampler(Protocol):
    @property
    def policy_version(self) -> int: ...

    def generate(
        self,
        requests: Sequence[GenerationRequest],
        sampling: SamplingSettings,
        *,
        keep_prefix_cache: bool,
    ) -> Iterator[Completion]: ...

    def sequence_log_probs(self, token_ids: Sequence[Sequence[int]]) -> list[list[float]]: ...


@dataclass(frozen=True, slots=True)
class CanaryReading:
    """What one sampler says about the canary's prompts. S sequences of prompt and completion."""

    version: int
    """Updates in the sampler's weights, as the sampler counts them."""
    token_ids: tuple[tuple[int, ...], ...]
    """[S][L]"""
    log_probs: tuple[tuple[float, ...], ...]
    """[S][L]; 0 at the first token."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Fixed prompts and the gap that is accepted on them."""

    prompts: tuple[tuple[int, ...], ...]
    summary: Summary
    threshold: float

    @classmethod
    def build(
        cls,
        settings: RolloutSettings,
        learner_dtype: str,
        texts: Sequence[Sequence[int]],
        max_model_len: int,
    ) -> Self:
        """Prompts of canary length out of the run's own: text number i, i + 1 ... end to end.

        texts: token ids of some prompts; max_model_len: what the engine was started for.
        """
        length = min(PROMPT_TOKENS, max_model_len - SAMPLED_TOKENS)
        if length < 2:
            raise UserError(
                f"rollout.max_tokens: prompts and completions of {max_model_len} tokens together "
                f"leave no room for the canary; allow at least {SAMPLED_TOKENS + 2}"
            )
        prompts = []
        for start in range(settings.canary_prompts):
            first = start % len(texts)
            tokens = (token for text in cycle([*texts[first:], *texts[:first]]) for token in text)
            prompts.append(tuple(islice(tokens, length)))
        coarse = "bfloat16" in (settings.dtype, learner_dtype)
        summary, threshold = JUDGEMENTS["bfloat16" if coarse else "float32"]
        return cls(tuple(prompts), summary, settings.canary_threshold or threshold)

    def prime(self, sampler: CanarySampler) -> None:
        """Leave the prompts in the prefix cache; to be done right before an update."""
        list(self._continue(sampler, max_tokens=1))

    def read(self, sampler: CanarySampler) -> CanaryReading:
        # Sampling comes first: scoring computes all keys and values afresh and would leave them
        # in the cache beside stale ones.
        completions = sorted(
            self._continue(sampler, SAMPLED_TOKENS), key=lambda completion: completion.sample_index
        )
        scored = sampler.sequence_log_probs(self.prompts)
        pairs = list(zip(self.prompts, scored, completions, strict=True))
        return CanaryReading(
            version=sampler.policy_version,
            token_ids=tuple(prompt + completion.token_ids for prompt, _, completion in pairs),
            log_probs=tuple((*scores, *completion.log_probs) for _, scores, completion in pairs),
        )

    def check(self, reading: CanaryReading, version: int, log_probs: LogProbs) -> float:
        """The gap in nats; raises if it is too large. log_probs: the learner's, at version."""
        if reading.version != version:
            raise CanaryError(
                f"canary: the sampler has the weights of version {reading.version}, the learner "
                f"those of {version}: an update was not sent or not finished"
            )
        expected = log_probs(reading.token_ids)
        scored, sampled = self._gaps(reading, expected)
        if max(scored, sampled) > self.threshold:
            raise CanaryError(self._explain(reading, expected, scored, sampled))
        return max(scored, sampled)

    def _gaps(
        self, reading: CanaryReading, expected: Sequence[Sequence[float]]
    ) -> tuple[float, float]:
        """Of the prompts, computed afresh, and of the tokens sampled through the prefix cache."""
        triples = [
            (ours, his, len(prompt))
            for ours, his, prompt in zip(reading.log_probs, expected, self.prompts, strict=True)
        ]
        scored = [(ours[:border], his[:border]) for ours, his, border in triples]
        sampled = [(ours[border:], his[border:]) for ours, his, border in triples]
        first, second = (
            canary_gap([ours for ours, _ in part], [his for _, his in part], self.summary)
            for part in (scored, sampled)
        )
        return first, second

    def _continue(self, sampler: CanarySampler, max_tokens: int) -> Iterator[Completion]:
        requests = [
            GenerationRequest(Prompt(f"canary-{i}", "", prompt, ""), sample_index=i, seed=i)
            for i, prompt in enumerate(self.prompts)
        ]
        sampling = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=max_tokens)
        return sampler.generate(requests, sampling, keep_prefix_cache=True)

    def _explain(
        self,
        reading: CanaryReading,
        expected: Sequence[Sequence[float]],
        scored: float,
        sampled: float,
    ) -> str:
        if scored <= self.threshold:
            cause = (
                "tokens computed afresh agree, those continued from the prefix cache do not: the "
                "cache was not reset after the update"
            )
        else:
            cause = (
                "the sampler's weights are not the learner's: the update was skipped or lacks "
                "part of the model (experts, router bias, tied output head), or the two compute "
                "the model differently"
            )
        _, sequence, position = max(
            (abs(ours - his), sequence, position)
            for sequence, (row, other) in enumerate(zip(reading.log_probs, expected, strict=True))
            for position, (ours, his) in enumerate(zip(row, other, strict=True))
        )
        return (
            f"canary: at version {reading.version} sampler and learner differ by "
            f"{max(scored, sampled):.3g} nats, more than {self.threshold:g} "
            f"(rollout.canary_threshold). Worst: sequence {sequence}, "
            f"position {position}, token {reading.token_ids[sequence][position]}: "
            f"{reading.log_probs[sequence][position]:.4f} in the sampler, "
            f"{expected[sequence][position]:.4f} in the learner. Likely cause: {cause}."
        )


def canary_gap(
    sampler_log_probs: Sequence[Sequence[float]],
    learner_log_probs: Sequence[Sequence[float]],
    summary: Summary = "max",
) -> float:
    """Median over sequences of the largest (or the mean) difference within one, in nats.

    The largest, because a fault of one expert shows only in the tokens routed to it. The median
    (the lower one), because a mixture's router is discontinuous: where two experts tie to within
    rounding, two correct engines choose differently and one whole sequence differs by tenths of
    a nat. A fault shows in every sequence, such a tie seldom in more than one.

    sampler_log_probs, learner_log_probs: [S][L]. canary_gap([[0, -1], [0, -2]], [[0, -1.5],
    [0, -2.25]]) is 0.25; with "mean" it is 0.125. NaN counts as an infinite difference.
    """
    gaps = []
    for row, other in zip(sampler_log_probs, learner_log_probs, strict=True):
        differences = [_difference(ours, his) for ours, his in zip(row, other, strict=True)]
        gaps.append(max(differences) if summary == "max" else sum(differences) / len(differences))
    return sorted(gaps)[(len(gaps) - 1) // 2]


def _difference(ours: float, his: float) -> float:
    difference = abs(ours - his)
    return math.inf if math.isnan(difference) else difference
