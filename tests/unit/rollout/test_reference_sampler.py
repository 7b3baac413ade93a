from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch

from rl.records import GenerationRequest, SamplingSettings
from rollout.reference_sampler import ReferenceSampler, processed_log_probs
from tests.models import save_tiny_llama
from tests.unit.rollout.tiny import (
    load_model,
    model_log_probs,
    prompts,
    requests,
    save_tokenizer,
)

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
PLAIN = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tokenizer(save_tiny_llama(tmp_path_factory.mktemp("llama")))


@pytest.fixture(scope="module")
def sampler(folder: Path) -> ReferenceSampler:
    return ReferenceSampler(folder)


@pytest.mark.parametrize(
    ("temperature", "top_p", "expected"),
    [
        (1.0, 1.0, [0.5, 0.3, 0.15, 0.05]),
        (0.5, 1.0, [0.25, 0.09, 0.0225, 0.0025]),
        (1.0, 0.8, [0.5, 0.3, 0.0, 0.0]),
        (1.0, 0.81, [0.5, 0.3, 0.15, 0.0]),
        (1.0, 0.1, [1.0, 0.0, 0.0, 0.0]),
        (0.0, 1.0, [0.5, 0.3, 0.15, 0.05]),
    ],
)
def test_processed_distribution_by_hand(
    temperature: float, top_p: float, expected: list[float]
) -> None:
    found = processed_log_probs(LOGITS, SamplingSettings(temperature, top_p, 1)).exp()
    target = torch.tensor(expected)
    torch.testing.assert_close(found, target / target.sum())


def test_order_of_the_vocabulary_does_not_matter() -> None:
    sampling = SamplingSettings(1.0, 0.7, 1)
    shuffled = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(
        processed_log_probs(LOGITS, sampling)[shuffled],
        processed_log_probs(LOGITS[shuffled], sampling),
    )


def test_log_probs_are_the_models(sampler: ReferenceSampler, folder: Path) -> None:
    of = prompts(3)
    found = list(sampler.generate(requests(of, 2), PLAIN))
    model = load_model(folder)
    for completion in found:
        ids = [*of[int(completion.prompt_id[1:])].token_ids, *completion.token_ids]
        (row,) = model_log_probs(model, [ids])
        torch.testing.assert_close(row[40:], list(completion.log_probs), atol=1e-5, rtol=0)
        torch.testing.assert_close(sampler.sequence_log_probs([ids])[0], row, atol=1e-5, rtol=0)
    again = list(sampler.generate(requests(of, 2), PLAIN))
    assert again == found
    assert len({completion.token_ids for completion in found}) == 6


def test_tokens_follow_their_probabilities(sampler: ReferenceSampler) -> None:
    (prompt,) = prompts(1)
    one = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=1)
    wanted = [GenerationRequest(prompt, k, seed=k) for k in range(400)]
    counts = Counter(c.token_ids[0] for c in sampler.generate(wanted, one))
    token, count = counts.most_common(1)[0]
    (row,) = sampler.sequence_log_probs([[*prompt.token_ids, token]])
    probability = math.exp(row[-1])
    # Four standard deviations of a binomial.
    assert abs(count - 400 * probability) < 4 * math.sqrt(400 * probability * (1 - probability))
