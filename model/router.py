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
        self.counted_tokens: Tensor | None = None
        """Indices of the tokens of the coming pass that count: all but those of padding rows, whose
        number depends on the split; a token that stands for several samples as often as that.
        None: do not count, as in passes without an update."""
        for part in module.modules():
            buffers = dict(part.named_buffers(recurse=False))
            if BIAS in buffers:
                self._add(part, buffers[BIAS])

    def __len__(self) -> int:
        return len(self._biases)

    def _add(self, router: nn.Module, bias: Tensor) -> None:
        from deepspeed.moe.ep_router import TokenChoiceTopKRouter

        counts = torch.zeros_like(bias, dtype=torch.float64)
        # Where the chosen experts [T, k] stand in the router's output.
        place = 1 if isinstance(router, TokenChoiceTopKRouter) else 2

        def count(_: nn.Module, __: Any, output: tuple[Tensor, Tensor, Tensor]) -> None:
            if self.counted_tokens is not None:
                experts = output[place][self.counted_tokens].flatten()
                counts.add_(torch.bincount(experts, minlength=len(counts)))

        router.register_forward_hook(count)
        self._biases.append(bias)
        self._counts.append(counts)

    @torch.no_grad()
    def finish_update(self, rate: float) -> dict[str, float]:
        """Move the biases by rate against the load of all ranks; metrics.

        DeepSeek-V3 (arXiv 2412.19437) section 2.1.2: the bias of an overloaded expert falls by a
        fixed step and that of an underloaded one rises. It is added to scores only to choose
        experts and gets no gradient. Gradient checkpointing counts every token twice, which
        changes neither signs nor ratios.
        """
        self.counted_tokens = None
        if not self._counts:
            return {}
        loads = torch.stack(self._counts)
        distributed.all_reduce(loads)
        for counts in self._counts:
            counts.zero_()
        mean = loads.mean(dim=1, keepdim=True)
        if rate > 0.0:
            for bias, step in zip(self._biases, torch.sign(mean - loads), strict=True):
                bias.add_(rate * step.to(bias.dtype))
        variation = loads.std(dim=1, correction=0) / mean.squeeze(1)
        return {
            "expert/load_cv": variation.mean().item(),
            "expert/load_max_over_mean": (loads / mean).max().item(),
        }
