"""The vLLM sampler on a real engine: what it returns, and that it returns it again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from configs.errors import UserError
from rl.records import Completion, SamplingSettings
from rollout.canary import canary_gap
from rollout.reference_sampler import ReferenceSampler, processed_log_probs
from tests.models import save_tiny_deepseek
from tests.unit.rollout.tiny import (
    END_ID,
    load_model,
    model_log_probs,
    prompts,
    requests,
    save_tokenizer,
    vllm_sampler,
)

if TYPE_CHECKING:
    from rollout.vllm_sampler import VllmSampler

pytestmark = pytest.mark.integration

PLAIN = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=32)
REPEATED = requests(prompts(9), 4)
"""36 requests on 24 places: some wait until others have finished."""
TOLERANCE = 5e-5
"""Nats between two float32 engines on weights this large, where log-probs reach -20."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tokenizer(save_tiny_deepseek(tmp_path_factory.mktemp("deepseek")))


@pytest.fixture(scope="module")
def from_another_engine(folder: Path) -> list[Completion]:
    """What a fresh engine makes of REPEATED. It is gone before the module's engine starts."""
    with vllm_sampler(folder, max_concurrent=24) as engine:
        return list(engine.generate(REPEATED, PLAIN))


@pytest.fixture(scope="module")
def sampler(folder: Path, from_another_engine: list[Completion]) -> Iterator[VllmSampler]:
    with vllm_sampler(folder, max_concurrent=24) as engine:
        yield engine


def by_request(completions: Iterable[Completion]) -> dict[tuple[str, int], Completion]:
    return {(c.prompt_id, c.sample_index): c for c in completions}


def test_completions_are_what_the_engine_sampled(sampler: VllmSampler, folder: Path) -> None:
    of = prompts(8)
    found = by_request(sampler.generate(requests(of, 4), PLAIN))
    assert len(found) == 32
    model = load_model(folder)
    sequences = [
        list(of[int(c.prompt_id[1:])].token_ids) + list(c.token_ids) for c in found.values()
    ]
    learner = [row[40:] for row in model_log_probs(model, sequences)]
    assert canary_gap([c.log_probs for c in found.values()], learner) <= TOLERANCE
    for c in found.values():
        assert (c.token_ids[-1] == END_ID) == (c.finish_reason == "stop")
        assert END_ID not in c.token_ids[:-1]
        assert len(c.token_ids) == 32 or c.finish_reason == "stop"
        assert c.text == "".join(f"<{token}>" for token in c.token_ids if token != END_ID)
    assert {c.finish_reason for c in found.values()} == {"stop", "length"}


def test_the_load_of_the_engine_is_that_of_the_last_call(sampler: VllmSampler) -> None:
    """24 of 36 requests have a place; the others wait."""
    list(sampler.generate(REPEATED, PLAIN))
    assert sampler.load.most_waiting == 12
    assert 12 < sampler.load.running_sum / sampler.load.steps <= 24
    usage = sampler.load.kv_cache_usage
    assert 0.0 < usage <= 1.0
    list(sampler.generate(REPEATED[:1], PLAIN))
    assert sampler.load.most_waiting == 0
    assert sampler.load.running_sum <= sampler.load.steps
    assert sampler.load.kv_cache_usage < usage


def test_completions_arrive_one_by_one_as_they_finish(sampler: VllmSampler) -> None:
    of = prompts(16)
    lengths = [len(c.token_ids) for c in sampler.generate(requests(of, 1), PLAIN)]
    assert lengths == sorted(lengths), "all start together, so the shortest finish first"
    assert len(set(lengths)) > 2


def test_samples_of_a_prompt_differ_and_follow_their_seed(sampler: VllmSampler) -> None:
    of = prompts(4)
    found = by_request(sampler.generate(requests(of, 3), PLAIN))
    other = by_request(sampler.generate(requests(of, 3, seed=500), PLAIN))
    assert len({c.token_ids for c in found.values()}) == 12
    assert all(found[key].token_ids != other[key].token_ids for key in found)


def test_same_requests_give_the_same_bits_whatever_came_before(
    sampler: VllmSampler, from_another_engine: list[Completion]
) -> None:
    list(sampler.generate(requests(prompts(7, length=90), 5, seed=77), PLAIN))
    sampler.sequence_log_probs([prompt.token_ids for prompt in prompts(5)])
    abandoned = sampler.generate(REPEATED, PLAIN)
    next(abandoned)
    abandoned.close()
    assert list(sampler.generate(REPEATED, PLAIN)) == from_another_engine


def test_log_probs_are_those_of_the_distribution_sampled_from(
    sampler: VllmSampler, folder: Path
) -> None:
    """With temperature and top-p, against the slow twin's distribution at each token."""
    sampling = SamplingSettings(temperature=0.7, top_p=0.8, max_tokens=16)
    of = prompts(6)
    model = load_model(folder)
    sampled, expected = [], []
    for c in sampler.generate(requests(of, 2), sampling):
        ids = [*of[int(c.prompt_id[1:])].token_ids, *c.token_ids]
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, 39:-1].float()
        distributions = [processed_log_probs(row, sampling) for row in logits]
        sampled.append(c.log_probs)
        expected.append(
            [row[token].item() for row, token in zip(distributions, c.token_ids, strict=True)]
        )
    assert all(math.isfinite(value) for row in expected for value in row)
    assert canary_gap(sampled, expected) <= TOLERANCE


def test_greedy_equals_the_slow_twin(sampler: VllmSampler, folder: Path) -> None:
    greedy = SamplingSettings(temperature=0.0, top_p=1.0, max_tokens=12)
    wanted = requests(prompts(4), 1)
    fast = by_request(sampler.generate(wanted, greedy))
    slow = by_request(ReferenceSampler(folder).generate(wanted, greedy))
    assert {k: (c.token_ids, c.text, c.finish_reason) for k, c in fast.items()} == {
        k: (c.token_ids, c.text, c.finish_reason) for k, c in slow.items()
    }


def test_scoring_equals_the_slow_twin(sampler: VllmSampler, folder: Path) -> None:
    sequences = [prompt.token_ids for prompt in prompts(6, length=150)]
    fast = sampler.sequence_log_probs(sequences)
    slow = ReferenceSampler(folder).sequence_log_probs(sequences)
    assert canary_gap(fast, slow) <= TOLERANCE
    assert all(row[0] == 0.0 for row in fast)


def test_long_prompts_that_fill_a_step_do_not_break_seeded_sampling(sampler: VllmSampler) -> None:
    """24 x 200 tokens are more than one step takes; vLLM must not split a prompt (it crashes)."""
    of = prompts(24, length=200)
    found = list(
        sampler.generate(
            requests(of, 1), SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=4)
        )
    )
    assert len(found) == 24


def test_too_long_a_prompt_is_named(sampler: VllmSampler) -> None:
    with pytest.raises(UserError, match=r"rollout\.max_tokens=32.*250 tokens of prompt p0"):
        list(sampler.generate(requests(prompts(1, length=250), 1), PLAIN))


def test_a_cpu_engine_does_not_pretend_to_sleep(sampler: VllmSampler) -> None:
    with pytest.raises(AssertionError, match="cannot sleep"):
        sampler.sleep()
