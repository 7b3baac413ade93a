"""The reference policy as a copy of this rank's shards, not as a second model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn


def own_tensors(module: nn.Module) -> list[Tensor]:
    """The memory that holds this rank's part of the weights: the shard of each parameter under
    ZeRO-3, the whole parameter otherwise, and the buffers that are saved (router biases)."""
    # DeepSpeed adds ds_id and ds_tensor to parameters under ZeRO-3.
    parameters = cast(Iterable[Any], module.parameters())
    tensors = [p.ds_tensor if hasattr(p, "ds_id") else p.data for p in parameters]
    for part in module.modules():
        for name, buffer in part.named_buffers(recurse=False):
            if name not in part._non_persistent_buffers_set:
                tensors.append(buffer)
    return tensors


class ReferencePolicy:
    """A snapshot of the policy in host memory, exchanged with it for a forward pass and back.

    Contents move, addresses stay: it works under every ZeRO stage and with expert parallelism,
    and both come back with the same bits.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._snapshot = [tensor.detach().cpu().clone() for tensor in own_tensors(engine.module)]

    def refresh(self) -> None:
        """Make the current policy the reference."""
        self._copy_in(own_tensors(self._engine.module))

    @contextmanager
    def in_place_of_policy(self) -> Iterator[None]:
        """Inside the block the module computes as the reference."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def state(self) -> list[Tensor]:
        return self._snapshot

    def load_state(self, state: Sequence[Tensor]) -> None:
        self._copy_in(state)

    @torch.no_grad()
    def _copy_in(self, tensors: Sequence[Tensor]) -> None:
        for saved, tensor in zip(self._snapshot, tensors, strict=True):
            saved.copy_(tensor)

    @torch.no_grad()
    def _exchange(self) -> None:
        if self._engine.zero_optimization_partition_weights():
            # Whole weights that ZeRO-3 keeps from the last pass would hide the exchange.
            self._engine.optimizer.empty_partition_cache()
        for saved, tensor in zip(self._snapshot, own_tensors(self._engine.module), strict=True):
            current = tensor.clone()
            tensor.copy_(saved)
            saved.copy_(current)
