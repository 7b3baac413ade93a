"""Chunked log-probs equal plain ones, and never hold more than a chunk of logits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rl.log_probs import chunked_log_probs

TOKENS, WIDTH, VOCABULARY = 23, 5, 97


@pytest.fixture
def problem() -> tuple[Tensor, nn.Linear, Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(TOKENS, WIDTH, requires_grad=True)
    project = nn.Linear(WIDTH, VOCABULARY)
    return hidden, project, torch.randint(VOCABULARY, (TOKENS,))


def plain(
    hidden: Tensor, project: nn.Linear, targets: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """In float64 and all at once."""
    logits = hidden.double() @ project.weight.double().T + project.bias.double()
    log_probs = (logits / temperature).log_softmax(-1)
    entropy = -(log_probs.exp() * log_probs).sum(-1)
    return log_probs[torch.arange(len(targets)), targets], entropy


@pytest.mark.parametrize("chunk_tokens", [1, 7, TOKENS, 100])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_values_and_gradients(
    problem: tuple[Tensor, nn.Linear, Tensor], chunk_tokens: int, temperature: float
) -> None:
    hidden, project, targets = problem
    upstream = torch.randn(TOKENS)
    leaves = [hidden, project.weight, project.bias]
    expected, expected_entropy = plain(hidden, project, targets, temperature)
    expected_gradients = torch.autograd.grad((expected * upstream).sum(), leaves)

    log_probs, entropy = chunked_log_probs(
        hidden, project, targets, temperature=temperature, chunk_tokens=chunk_tokens
    )
    assert log_probs.dtype == entropy.dtype == torch.float32
    assert not entropy.requires_grad
    torch.testing.assert_close(log_probs.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(entropy.double(), expected_entropy, rtol=1e-5, atol=1e-5)
    gradients = torch.autograd.grad((log_probs * upstream).sum(), leaves)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-5)


def test_bfloat16_logits_are_normalised_in_float32(
    problem: tuple[Tensor, nn.Linear, Tensor],
) -> None:
    """The only error is that of the projection: probabilities over the vocabulary sum to 1."""
    hidden, project, _ = problem
    project.bfloat16()
    every = torch.arange(VOCABULARY)
    repeated = hidden.detach()[:1].bfloat16().expand(VOCABULARY, WIDTH)
    log_probs, _ = chunked_log_probs(repeated, project, every, chunk_tokens=10)
    assert log_probs.exp().sum().item() == pytest.approx(1.0, abs=1e-5)


def test_far_apart_logits_stay_finite() -> None:
    hidden = torch.tensor([[1e4, -1e4, 0.0]])
    log_probs, entropy = chunked_log_probs(
        hidden, lambda states: states, torch.tensor([1]), chunk_tokens=1
    )
    assert (log_probs.item(), entropy.item()) == (-2e4, 0.0)


class LargestTensor(TorchDispatchMode):
    """Watches every operation, forward and backward, for the largest result."""

    elements = 0

    def __torch_dispatch__(
        self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.elements = max(self.elements, leaf.numel())
        return result


@pytest.mark.parametrize(
    ("chunk_tokens", "expected"),
    [(7, 7 * VOCABULARY), pytest.param(TOKENS, TOKENS * VOCABULARY, id="negative control")],
)
def test_no_tensor_exceeds_one_chunk_of_logits(
    problem: tuple[Tensor, nn.Linear, Tensor], chunk_tokens: int, expected: int
) -> None:
    with LargestTensor() as watch:
        log_probs, _ = chunked_log_probs(*problem, chunk_tokens=chunk_tokens)
        log_probs.sum().backward()
    assert watch.elements == expected


@pytest.mark.parametrize(
    ("chunk_tokens", "logits_kept"), [(7, False), pytest.param(TOKENS, True, id="one chunk")]
)
def test_nothing_of_vocabulary_size_waits_for_the_backward_pass(
    problem: tuple[Tensor, nn.Linear, Tensor], chunk_tokens: int, logits_kept: bool
) -> None:
    """A single chunk keeps its logits: computing them twice would save nothing."""
    hidden, project, targets = problem
    saved: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        saved.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        chunked_log_probs(hidden, project, targets, chunk_tokens=chunk_tokens)
    assert saved
    assert (max(saved) >= chunk_tokens * VOCABULARY) == logits_kept


def test_no_tokens_give_no_log_probs(problem: tuple[Tensor, nn.Linear, Tensor]) -> None:
    """As in a padding row; the weights still get a gradient, which is 0."""
    hidden, project, targets = problem
    log_probs, entropy = chunked_log_probs(hidden[:0], project, targets[:0], chunk_tokens=8)
    assert log_probs.shape == entropy.shape == (0,)
    log_probs.sum().backward()
    assert project.weight.grad is not None
    assert not project.weight.grad.any()


@pytest.mark.parametrize(("gradient", "calls_per_chunk"), [(True, 2), (False, 1)])
def test_each_chunk_is_projected_once_and_again_only_for_gradients(
    problem: tuple[Tensor, nn.Linear, Tensor], gradient: bool, calls_per_chunk: int
) -> None:
    hidden, project, targets = problem
    calls: list[int] = []
    project.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    with torch.set_grad_enabled(gradient):
        log_probs, _ = chunked_log_probs(hidden, project, targets, chunk_tokens=8)
        if gradient:
            log_probs.sum().backward()
    assert sorted(calls) == sorted([8, 8, 7] * calls_per_chunk)
