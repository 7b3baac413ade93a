"""Load of the experts, and the bias that balances it without a loss term."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn

BIAS = "e_score_correction_bias"


class RouterBalance:
    """Counts the tokens that each expert receives during an update, and moves the router's bias.

    Empty for models whose routers have no bias.
    """

    def __init__(self, module: nn.Module) -> None:
        self._biases: list[Tensor] = []
        self._counts: list[Tensor] = []
        """[E] float64 per router."""
        for part in module.modules():
            buffers = dict(part.named_buffers(recurse=False))
            if BIAS in buffers:
                self._add(part, buffers[BIAS])

    def __len__(self) -> int:
        return len(self._biases)

    def _add(self, router: nn.Module, bias: Tensor) -> None:
        from deepspeed.moe.ep_router import TokenChoiceTopKRouter

        counts = torch.zeros_like(bias, dtype=torch.float64)
        expert_parallel = isinstance(router, TokenChoiceTopKRouter)

        def count(_: nn.Module, __: Any, output: tuple[Tensor, Tensor, Tensor]) -> None:
            # Expert-parallel routers return counts [E]; those of transformers indices [T, k].
            new = output[2]
            counts.add_(new if expert_parallel else _count(new, len(counts)))

        router.register_forward_hook(count)
        self._biases.append(bias)
        self._counts.append(counts)

    def reset(self) -> None:
        """Forget what was counted, such as the tokens of forward passes without an update."""
        for counts in self._counts:
            counts.zero_()

    @torch.no_grad()
    def finish_update(self, rate: float) -> dict[str, float]:
        """Move the biases by rate against the load of all ranks; metrics.

        DeepSeek-V3 (arXiv 2412.19437) section 2.1.2: the bias of an overloaded expert falls by a
        fixed step and that of an underloaded one rises. It is added to scores only to choose
        experts and gets no gradient. Gradient checkpointing counts every token twice, which
        changes neither signs nor ratios.
        """
        if not self._counts:
            return {}
        loads = torch.stack(self._counts)
        distributed.all_reduce(loads)
        mean = loads.mean(dim=1, keepdim=True)
        if rate > 0.0:
            for bias, step in zip(self._biases, torch.sign(mean - loads), strict=True):
                bias.add_(rate * step.to(bias.dtype))
        variation = loads.std(dim=1, correction=0) / mean.squeeze(1)
        return {
            "expert/load_cv": variation.mean().item(),
            "expert/load_max_over_mean": (loads / mean).max().item(),
        }


def _count(indices: Tensor, num_experts: int) -> Tensor:
    """[E] how often each expert occurs in indices [T, k]."""
    experts = torch.arange(num_experts, device=indices.device)
    return (indices.reshape(-1, 1) == experts).sum(dim=0)
