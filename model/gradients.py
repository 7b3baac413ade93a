"""Gradients of a DeepSpeed engine: from its averages back to sums, global norm, clipping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed

NORM_PIECE = 2**16
"""Elements per float32 sum of squares."""


def undo_averaging(loss: Tensor, world_size: int) -> Tensor:
    """The loss to call backward on, so that the engine's gradient is that of the plain sum of the
    ranks' losses.

    DeepSpeed divides every gradient, those of expert-parallel parameters too, by the number of
    ranks. Over micro-batches it sums, since it is configured for one accumulation step and told
    which backward pass is the last.
    """
    return loss * world_size


def gradient_shards(optimizer: Any) -> list[Tensor]:
    """This rank's part of the reduced gradient, after the last backward pass and before the step.
    Shards of all ranks together hold each element once (and zeros as padding)."""
    from deepspeed.runtime.bf16_optimizer import BF16_Optimizer

    if isinstance(optimizer, BF16_Optimizer):
        return list(optimizer.fp32_groups_gradient_flat_partition)
    return [shard for group in optimizer.averaged_gradients.values() for shard in group]


def clip_global_norm(shards: Sequence[Tensor], max_norm: float) -> float:
    """Scale all shards down to a global L2 norm of max_norm (0: leave them); the norm before.

    The same number on every rank, whatever the split. Not finite when any gradient is not.
    """
    # Float32 sums over short pieces, added up in float64: exact enough without a float64 copy.
    pieces = [piece for shard in shards for piece in shard.flatten().split(NORM_PIECE)]
    norms = [torch.linalg.vector_norm(piece, dtype=torch.float32) for piece in pieces]
    total = torch.stack(norms).double().square().sum()
    distributed.all_reduce(total)
    norm = math.sqrt(total.item())
    if max_norm > 0.0 and norm > max_norm:
        for shard in shards:
            shard.mul_(max_norm / norm)
    return norm
