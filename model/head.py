"""The vocabulary projection, fused with the log-probs of given tokens.

The same numbers as rl.log_probs.chunked_log_probs, its slow twin, in half the time: few passes
over the logits, in place, and a gradient written by hand.

Legend: n tokens, C tokens of one chunk, D hidden width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class LogProbHead(nn.Module):
    """One module call whatever the number of chunks: under ZeRO-3 every call gathers the weight
    from all ranks, so the number of calls must not depend on the data of a rank."""

    def __init__(self, projection: nn.Linear, chunk_tokens: int, temperature: float) -> None:
        super().__init__()
        assert projection.bias is None, "a vocabulary projection with a bias is not supported"
        self.weight = projection.weight  # possibly tied to the embedding: the same parameter
        self.chunk_tokens = chunk_tokens
        self.temperature = temperature

    def forward(self, hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """hidden [n, D] predicts targets [n]: ([n] log-probs, [n] entropies without gradient),
        float32. Logits exist for one chunk at a time, also in the backward pass."""
        return _LogProbs.apply(hidden, self.weight, targets, self.chunk_tokens, self.temperature)


class _LogProbs(torch.autograd.Function):
    """log p = z_target - log sum exp z with z = hidden @ weight.T / temperature.

    d log p / dz = onehot(target) - softmax(z), from logits computed again.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int, temperature: float
    ) -> tuple[Tensor, Tensor]:
        log_probs, entropies, log_norms = (
            torch.empty(len(hidden), device=hidden.device) for _ in range(3)
        )
        for start in range(0, len(hidden), chunk):
            part = slice(start, start + chunk)
            logits = _logits(hidden[part], weight, temperature)
            chosen = logits.gather(-1, targets[part, None])
            largest = logits.amax(dim=-1, keepdim=True)
            shifted = logits.sub_(largest)
            exps = shifted.exp()
            total = exps.sum(dim=-1, keepdim=True)
            log_norm = largest + total.log()
            # H = log sum exp z - sum p z
            mean_shifted = exps.mul_(shifted).sum(dim=-1, keepdim=True) / total
            log_probs[part] = (chosen - log_norm)[:, 0]
            entropies[part] = (total.log() - mean_shifted)[:, 0]
            log_norms[part] = log_norm[:, 0]
        ctx.save_for_backward(hidden, weight, targets, log_norms)
        ctx.chunk, ctx.temperature = chunk, temperature
        ctx.mark_non_differentiable(entropies)
        return log_probs, entropies

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        hidden, weight, targets, log_norms = ctx.saved_tensors
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape, device=weight.device)
        for start in range(0, len(hidden), ctx.chunk):
            part = slice(start, start + ctx.chunk)
            scaled = (grad[part] / ctx.temperature)[:, None]
            logits = _logits(hidden[part], weight, ctx.temperature)
            grad_logits = logits.sub_(log_norms[part, None]).exp_().mul_(-scaled)
            grad_logits.scatter_add_(-1, targets[part, None], scaled)
            grad_logits = grad_logits.to(hidden.dtype)
            grad_hidden[part] = grad_logits @ weight
            grad_weight += grad_logits.T @ hidden[part]
        return grad_hidden, grad_weight.to(weight.dtype), None, None, None


def _logits(hidden: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """[C, V] float32, a new tensor."""
    logits = (hidden @ weight.T).float()
    return logits if temperature == 1.0 else logits.div_(temperature)
