from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model.attention import SEGMENT_ATTENTION
from model.loading import load_model
from model.policy import PackedPolicy, predicted_positions
from model.prefixes import distinct_tokens
from model.reference import own_tensors
from tests.models import VOCAB_SIZE, save_tiny_deepseek, save_tiny_llama

LENGTHS = (9, 1, 6, 30)
MODELS = {"deepseek": save_tiny_deepseek, "llama": save_tiny_llama}


@pytest.fixture(params=sorted(MODELS))
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return MODELS[request.param](tmp_path)


def packed_policy(
    folder: Path, attention: str = SEGMENT_ATTENTION, chunk: int = 64
) -> PackedPolicy:
    model = load_model(folder, torch.float32, attention=attention)
    return PackedPolicy(model, chunk_tokens=chunk)


def row() -> torch.Tensor:
    return torch.randint(0, VOCAB_SIZE, (sum(LENGTHS),), generator=torch.Generator().manual_seed(0))


def test_packed_equals_one_sample_at_a_time(folder: Path) -> None:
    tokens = row()
    log_probs, entropy = packed_policy(folder)(tokens, predicted_positions(LENGTHS), LENGTHS)
    model = load_model(folder, torch.float32, attention="eager")
    start = 0
    for ids in tokens.split(LENGTHS):
        distribution = model(input_ids=ids[None]).logits[0].log_softmax(-1)[:-1]
        expected = distribution.gather(-1, ids[1:, None])[:, 0]
        part = slice(start + 1, start + len(ids))
        torch.testing.assert_close(log_probs[part], expected, atol=2e-5, rtol=0)
        expected_entropy = -(distribution.exp() * distribution).sum(-1)
        torch.testing.assert_close(entropy[part], expected_entropy, atol=2e-5, rtol=0)
        assert log_probs[start] == 0.0 == entropy[start]
        start += len(ids)


def test_gradients_of_fast_and_dense_attention_agree(folder: Path) -> None:
    tokens, weights = row(), torch.randn(sum(LENGTHS))
    gradients = []
    for attention, chunk in ((SEGMENT_ATTENTION, 7), ("sdpa", 1000)):
        policy = packed_policy(folder, attention, chunk)
        log_probs, _ = policy(tokens, predicted_positions(LENGTHS), LENGTHS)
        (log_probs * weights).sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in policy.parameters()]))
    assert (gradients[0] - gradients[1]).norm() < 1e-5 * gradients[1].norm()


def test_shared_beginnings_change_neither_log_probs_nor_gradients(folder: Path) -> None:
    tokens, weights = row(), torch.randn(sum(LENGTHS))
    tokens[16:22] = tokens[:6]  # the last segment begins as the first one does
    computed = distinct_tokens(tokens, LENGTHS)
    assert len(computed.first_U) == len(tokens) - 6
    results = []
    for each in (None, computed):
        policy = packed_policy(folder)
        log_probs, entropy = policy(tokens, predicted_positions(LENGTHS), LENGTHS, each)
        (log_probs * weights).sum().backward()
        gradient = torch.cat([p.grad.flatten() for p in policy.parameters()])
        results.append((log_probs.detach(), entropy, gradient))
    (log_probs, entropy, gradient), ours = results
    torch.testing.assert_close(ours[0], log_probs, atol=2e-5, rtol=0)
    torch.testing.assert_close(ours[1], entropy, atol=2e-5, rtol=0)
    assert (ours[2] - gradient).norm() < 1e-5 * gradient.norm()


def test_only_the_given_positions_are_computed(folder: Path) -> None:
    tokens, policy = row(), packed_policy(folder)
    everywhere, _ = policy(tokens, predicted_positions(LENGTHS), LENGTHS)
    positions = torch.tensor([2, 3, 11, 40])
    some, _ = policy(tokens, positions, LENGTHS)
    torch.testing.assert_close(some[positions], everywhere[positions], atol=1e-6, rtol=0)
    assert some.count_nonzero() == len(positions)


def test_temperature_divides_the_logits(folder: Path) -> None:
    tokens, policy = row(), packed_policy(folder)
    policy.lm_head.temperature = 2.0
    log_probs, _ = policy(tokens, predicted_positions(LENGTHS), LENGTHS)
    model = load_model(folder, torch.float32, attention="eager")
    logits = model(input_ids=tokens[None, :9]).logits[0, :-1]
    expected = (logits / 2.0).log_softmax(-1).gather(-1, tokens[1:9, None])[:, 0]
    torch.testing.assert_close(log_probs[1:9], expected, atol=2e-5, rtol=0)


def test_names_are_those_of_the_checkpoint_and_router_biases_are_weights(tmp_path: Path) -> None:
    policy = packed_policy(save_tiny_deepseek(tmp_path))
    names = dict(policy.named_parameters())
    assert "model.layers.0.self_attn.kv_b_proj.weight" in names and "lm_head.weight" in names
    num_buffers = len(own_tensors(policy)) - len(names)
    assert num_buffers == 2  # one bias per mixture-of-experts layer, no rotary frequencies
