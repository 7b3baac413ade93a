"""Free the device while samplers use it: the learner's memory goes to the host and comes back.

Storages are emptied and filled in place. Parameters, their flat buffers and all other views stay
what they are, so that it works the same for every ZeRO stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Offload:
    """The large storages of one engine, on the device or on the host."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._away: list[tuple[torch.UntypedStorage, torch.UntypedStorage]] = []
        """(emptied storage, its contents on the host)."""

    def to_host(self) -> None:
        assert not self._away, "offloaded already"
        storages = {t.untyped_storage().data_ptr(): t.untyped_storage() for t in self._tensors()}
        storages.pop(0, None)  # empty ones
        for storage in storages.values():
            self._away.append((storage, storage.cpu() if storage.is_cuda else storage.clone()))
            storage.resize_(0)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def to_device(self) -> None:
        for storage, contents in self._away:
            storage.resize_(contents.nbytes())
            storage.copy_(contents)
        self._away.clear()

    def _tensors(self) -> Iterator[Tensor]:
        """Every tensor whose memory grows with the model."""
        engine, optimizer = self._engine, self._engine.optimizer
        if engine.zero_optimization_partition_weights():
            optimizer.empty_partition_cache()
        for parameter in engine.module.parameters():
            yield parameter.data
            if hasattr(parameter, "ds_id"):
                yield parameter.ds_tensor.data
        yield from _float32_masters(engine)
        for state in optimizer.optimizer.state.values():
            yield from (v for v in state.values() if isinstance(v, Tensor) and v.dim() > 0)
        yield from _gradient_buffers(engine)


def _float32_masters(engine: Any) -> Iterator[Tensor]:
    """Under ZeRO-3 they are in the optimiser's groups during its step alone."""
    if engine.zero_optimization_partition_weights():
        yield from (master.data for master in engine.optimizer.fp32_partitioned_groups_flat)
    for group in engine.optimizer.optimizer.param_groups:
        yield from (master.data for master in group["params"])


def _gradient_buffers(engine: Any) -> Iterator[Tensor]:
    """What DeepSpeed keeps from one update to the next; its other buffers end with the update."""
    from deepspeed.runtime.bf16_optimizer import BF16_Optimizer

    optimizer = engine.optimizer
    if isinstance(optimizer, BF16_Optimizer):
        yield from optimizer.fp32_groups_gradients_flat
    elif engine.zero_optimization_partition_weights():
        yield optimizer.grad_partitions_flat_buffer
        yield from (bucket.buffer for bucket in optimizer.ipg_buckets.values())
