from __future__ import annotations

import pytest
import torch
from torch import nn

from model.head import LogProbHead
from rl.log_probs import chunked_log_probs


@pytest.mark.parametrize("chunk", [1, 4, 100], ids=str)
@pytest.mark.parametrize("temperature", [1.0, 0.7], ids=str)
def test_equals_the_slow_twin(chunk: int, temperature: float) -> None:
    torch.manual_seed(0)
    projection = nn.Linear(6, 11, bias=False)
    head = LogProbHead(projection, chunk, temperature)
    hidden = (3.0 * torch.randn(9, 6)).requires_grad_()
    targets, upstream = torch.randint(0, 11, (9,)), torch.randn(9)

    ours = head(hidden, targets)
    theirs = chunked_log_probs(
        hidden, projection, targets, temperature=temperature, chunk_tokens=100
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    inputs = (hidden, projection.weight)
    for a, b in zip(
        torch.autograd.grad(ours[0], inputs, upstream),
        torch.autograd.grad(theirs[0], inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    assert not ours[1].requires_grad


def test_closed_form() -> None:
    projection = nn.Linear(1, 2, bias=False)
    projection.weight.data = torch.tensor([[0.0], [1.0]])
    hidden = torch.tensor([[0.0], [3.0**0.5]])
    log_probs, entropy = LogProbHead(projection, 1, 1.0)(hidden, torch.tensor([0, 1]))
    p = torch.sigmoid(torch.tensor(3.0**0.5))
    torch.testing.assert_close(log_probs, torch.stack([torch.tensor(0.5).log(), p.log()]))
    expected = -(p * p.log() + (1 - p) * (1 - p).log())
    torch.testing.assert_close(entropy, torch.stack([torch.tensor(2.0).log(), expected]))


def test_large_logits_and_no_tokens() -> None:
    projection = nn.Linear(1, 3, bias=False)
    projection.weight.data = torch.tensor([[1.0], [0.0], [-1.0]])
    head = LogProbHead(projection, 2, 1.0)
    log_probs, entropy = head(torch.tensor([[1e4]]), torch.tensor([1]))
    assert log_probs.item() == -1e4 and entropy.item() == 0.0
    nothing, _ = head(torch.zeros(0, 1, requires_grad=True), torch.zeros(0, dtype=torch.int64))
    nothing.sum().backward()
    assert projection.weight.grad is not None and not projection.weight.grad.any()
