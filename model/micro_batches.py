"""Rows of one pass joined into a longer row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from rl.judged import JudgedRow
from rl.records import Row

RowType = TypeVar("RowType", Row, JudgedRow)
"""What a learner trains on: sampled or imitated sequences, or judged responses."""


def micro_batches(
    rows: Sequence[RowType], rows_per_micro_batch: int, device: torch.device
) -> Iterator[RowType]:
    """Consecutive rows joined and moved to the device. Each segment keeps to itself, so that
    joining changes neither log-probs nor gradients."""
    for start in range(0, len(rows), rows_per_micro_batch):
        yield _to(_join(rows[start : start + rows_per_micro_batch]), device)


def _join(rows: Sequence[RowType]) -> RowType:
    first = rows[0]
    joined = {
        field.name: torch.cat([getattr(row, field.name) for row in rows])
        for field in fields(first)
        if isinstance(getattr(first, field.name), Tensor)
    }
    return replace(
        first,
        **joined,
        segment_lengths=tuple(n for row in rows for n in row.segment_lengths),
        sample_indices=tuple(i for row in rows for i in row.sample_indices),
    )


def _to(row: RowType, device: torch.device) -> RowType:
    tensors = {
        field.name: getattr(row, field.name).to(device)
        for field in fields(row)
        if isinstance(getattr(row, field.name), Tensor)
    }
    return replace(row, **tensors)
