from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from configs.errors import UserError
from configs.schema import RolloutSettings
from rl.records import Completion, GenerationRequest, SamplingSettings
from rollout.canary import PROMPT_TOKENS, SAMPLED_TOKENS, Canary, CanaryError, canary_gap

TEXTS = [[10, 11, 12], [20, 21], [30]]
PROMPT = 56
"""Tokens of a canary prompt in these tests."""


@dataclass
class Arithmetic:
    """A sampler whose log-prob of a token is -(token / 100 + weight); cached is what a prefix
    cache adds to sampled tokens."""

    weight: float = 0.0
    cached: float = 0.0
    policy_version: int = 0
    calls: int = 0

    def generate(
        self,
        requests: Sequence[GenerationRequest],
        sampling: SamplingSettings,
        *,
        keep_prefix_cache: bool,
    ) -> Iterator[Completion]:
        assert keep_prefix_cache
        self.calls += 1
        for request in reversed(requests):
            tokens = tuple(50 + i for i in range(sampling.max_tokens))
            log_probs = tuple(self._log_prob(token) - self.cached for token in tokens)
            yield Completion(
                request.prompt.id, request.sample_index, "", tokens, log_probs, 0, "length"
            )

    def sequence_log_probs(self, token_ids: Sequence[Sequence[int]]) -> list[list[float]]:
        return [[0.0, *(self._log_prob(token) for token in ids[1:])] for ids in token_ids]

    def _log_prob(self, token: int) -> float:
        return -(token / 100 + self.weight)


def canary(learner_dtype: str = "float32", **settings: object) -> Canary:
    longest = PROMPT + SAMPLED_TOKENS
    return Canary.build(RolloutSettings(**settings), learner_dtype, TEXTS, max_model_len=longest)


def test_gap_by_hand() -> None:
    assert canary_gap([[0.0, -1.0]], [[0.0, -1.25]]) == 0.25
    assert canary_gap([[0.0, -1.0], [0.0, -2.0]], [[0.0, -1.5], [0.0, -2.25]]) == 0.25
    three = [[0.0, -1.0, -1.0], [0.0, -2.0], [-3.0]]
    assert canary_gap(three, [[0.0, -1.5, -1.0], [1.0, -2.0], [-3.125]]) == 0.5
    assert canary_gap(three, three) == 0.0


def test_mean_gap_by_hand() -> None:
    ours, his = [[0.0, -1.0], [0.0, -2.0]], [[0.0, -1.5], [0.0, -2.25]]
    assert canary_gap(ours, his, "mean") == 0.125
    assert canary_gap([[math.nan, 0.0]], [[0.0, 0.0]], "mean") == math.inf


def test_a_fault_of_sampled_tokens_is_not_diluted_by_scored_ones() -> None:
    """56 scored tokens agree, 8 sampled ones differ by 0.35: a mean over all would be 0.04."""
    fixed = canary(dtype="bfloat16")
    reading = fixed.read(Arithmetic(cached=0.35, policy_version=1))
    with pytest.raises(CanaryError, match=r"by 0\.35 nats.*cache was not reset"):
        fixed.check(reading, 1, Arithmetic().sequence_log_probs)


def test_one_sequence_of_several_may_differ_a_fault_may_not() -> None:
    same = [[-1.0] * 10 for _ in range(4)]
    tie = [*same[:3], [-1.0] * 5 + [-1.2] * 5]
    assert canary_gap(same, tie) == 0.0
    fault = [[-1.0] * 9 + [-1.2] for _ in range(4)]
    assert canary_gap(same, fault) == pytest.approx(0.2)


def test_nan_is_a_gap() -> None:
    nan = [[-1.0, math.nan] for _ in range(3)]
    assert canary_gap(nan, [[-1.0, -1.0]] * 3) == math.inf
    assert canary_gap([[-1.0, -1.0]] * 3, nan) == math.inf


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="shorter"):
        canary_gap([[-1.0, -2.0]], [[-1.0]])
    with pytest.raises(ValueError, match="shorter"):
        canary_gap([[-1.0], [-1.0]], [[-1.0]])


def test_prompts_are_the_texts_end_to_end() -> None:
    prompts = canary(canary_prompts=4).prompts
    assert [prompt[:7] for prompt in prompts] == [
        (10, 11, 12, 20, 21, 30, 10),
        (20, 21, 30, 10, 11, 12, 20),
        (30, 10, 11, 12, 20, 21, 30),
        (10, 11, 12, 20, 21, 30, 10),
    ]
    assert {len(prompt) for prompt in prompts} == {PROMPT}
    long = Canary.build(RolloutSettings(), "float32", TEXTS, max_model_len=4096)
    assert {len(prompt) for prompt in long.prompts} == {PROMPT_TOKENS}


def test_judgement_follows_the_coarser_dtype_unless_set() -> None:
    for learner, sampler, summary, threshold in (
        ("float32", "float32", "max", 1e-3),
        ("float32", "bfloat16", "mean", 0.25),
        ("bfloat16", "float32", "mean", 0.25),
        ("bfloat16", "bfloat16", "mean", 0.25),
    ):
        found = canary(learner, dtype=sampler)
        assert (found.summary, found.threshold) == (summary, threshold)
    assert canary(canary_threshold=0.25).threshold == 0.25


def test_no_room_for_a_canary() -> None:
    with pytest.raises(UserError, match="leave no room for the canary"):
        Canary.build(RolloutSettings(), "float32", TEXTS, max_model_len=SAMPLED_TOKENS + 1)


def test_agreement_passes_and_returns_the_gap() -> None:
    fixed, sampler = canary(dtype="float32"), Arithmetic(policy_version=3)
    fixed.prime(sampler)
    reading = fixed.read(sampler)
    assert sampler.calls == 2
    assert [ids[:PROMPT] for ids in reading.token_ids] == list(fixed.prompts)
    assert all(ids[PROMPT:] == tuple(range(50, 58)) for ids in reading.token_ids)
    learner = Arithmetic(weight=5e-4)
    gap = fixed.check(reading, 3, learner.sequence_log_probs)
    assert gap == pytest.approx(5e-4)


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (Arithmetic(weight=0.1, policy_version=3), "update was skipped or lacks"),
        (Arithmetic(cached=0.1, policy_version=3), "cache was not reset"),
        (Arithmetic(policy_version=2), "version 2, the learner those of 3"),
        (Arithmetic(weight=math.nan, policy_version=3), "differ by inf nats"),
    ],
)
def test_faults_are_explained(sampler: Arithmetic, message: str) -> None:
    fixed = canary(dtype="float32")
    with pytest.raises(CanaryError, match=message):
        fixed.check(fixed.read(sampler), 3, Arithmetic().sequence_log_probs)


def test_the_error_names_version_gap_threshold_and_worst_token() -> None:
    fixed = canary(dtype="float32")
    reading = fixed.read(Arithmetic(cached=0.125, policy_version=3))
    with pytest.raises(CanaryError) as caught:
        fixed.check(reading, 3, Arithmetic().sequence_log_probs)
    assert "at version 3" in str(caught.value)
    assert "by 0.125 nats, more than 0.001 (rollout.canary_threshold)" in str(caught.value)
    worst = r"position [56]\d, token 5\d: -0\.6\d+ in the sampler, -0\.5\d+ in the learner"
    assert re.search(worst, str(caught.value))
