"""Judged responses, which reward models learn from: records, packing, loss.

A pair is two segments of one row, (chosen, rejected), that stay together; a labelled response is
one segment. With s the score of a segment, one loss covers both:

    pairwise   logit = s_chosen - s_rejected, label 1     -log sigmoid(logit)
    pointwise  logit = s, label 1 (safe) or 0 (unsafe)    binary cross-entropy

R1 (arXiv 2501.12948v2) 3.1. Legend: T tokens of a row, S segments, U units: pairs or responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rl.losses import LossOutputs
from rl.packing import PADDING_INDEX, best_fit, deal_out


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair or a labelled response.

    Judged("row-17", (tensor([5, 8, 1]), tensor([5, 9, 1])), label=1.0)
    """

    name: str
    segments: tuple[Tensor, ...]
    """[L] int64 each: prompt, response and end token. (chosen, rejected), or (response,)."""
    label: float
    """1 for a pair and for a safe response, 0 for an unsafe one."""


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """Several units packed end to end; attention never crosses a segment border."""

    token_ids: Tensor
    """[T] int64."""
    segment_lengths: tuple[int, ...]
    """[S]; the segments of a unit stand next to each other."""
    weights: Tensor
    """[U] float32; each unit's share of the mini-batch's loss, 0 for padding."""
    labels: Tensor
    """[U] float32."""
    sample_indices: tuple[int, ...]
    """For each segment, the index of its unit in the packed list; -1 for padding."""


def pack_judged(
    units: Sequence[Judged],
    *,
    row_tokens: int,
    num_ranks: int,
    rows_multiple_of: int = 1,
) -> list[list[JudgedRow]]:
    """rows[rank], equally many for each rank. Weights are 1 / number of units, whatever the split
    into rows, micro-batches and ranks."""
    width = len(units[0].segments)
    assert all(len(unit.segments) == width for unit in units), "pairs and single responses mixed"
    lengths = [sum(map(len, unit.segments)) for unit in units]
    assert max(lengths) <= row_tokens, f"{max(lengths)} tokens in rows of {row_tokens}"
    bins = [best_fit(dealt, lengths, row_tokens) for dealt in deal_out(lengths, num_ranks)]
    largest = max(len(rank_bins) for rank_bins in bins)
    num_rows = -(-largest // rows_multiple_of) * rows_multiple_of
    rows = [[_row(units, indices) for indices in rank_bins] for rank_bins in bins]
    return [each + [_padding(width)] * (num_rows - len(each)) for each in rows]


def _row(units: Sequence[Judged], indices: Sequence[int]) -> JudgedRow:
    segments = [segment for index in indices for segment in units[index].segments]
    return JudgedRow(
        token_ids=torch.cat(segments),
        segment_lengths=tuple(map(len, segments)),
        weights=torch.full((len(indices),), 1.0 / len(units)),
        labels=torch.tensor([units[index].label for index in indices]),
        sample_indices=tuple(index for index in indices for _ in units[index].segments),
    )


def _padding(width: int) -> JudgedRow:
    """One unit of one-token segments that changes no sum; keeps ranks in step."""
    return JudgedRow(
        token_ids=torch.zeros(width, dtype=torch.int64),
        segment_lengths=(1,) * width,
        weights=torch.zeros(1),
        labels=torch.zeros(1),
        sample_indices=(PADDING_INDEX,) * width,
    )


def judged_loss(row: JudgedRow, scores_S: Tensor) -> LossOutputs:
    """Rows and ranks add up to the mean over the units of the mini-batch."""
    logits_U = unit_logits(scores_S, len(row.weights))
    losses_U = binary_cross_entropy_with_logits(logits_U, row.labels, reduction="none")
    total = (row.weights * losses_U).sum()
    right_U = (logits_U > 0.0) == (row.labels > 0.5)
    sums = {
        "actor/loss": total.detach(),
        "weight": row.weights.sum(),
        "judged/accuracy": (row.weights * right_U).sum(),
        "judged/logit": (row.weights * logits_U.detach()).sum(),
    }
    return LossOutputs(total, sums)


def unit_logits(scores_S: Tensor, num_units: int) -> Tensor:
    """[U]: of pairs the first score minus the second, of single responses the score."""
    scores_UxK = scores_S.view(num_units, -1)
    return scores_UxK[:, 0] - scores_UxK[:, 1] if scores_UxK.shape[1] == 2 else scores_UxK[:, 0]


def scores_of_units(
    rows: Sequence[Sequence[JudgedRow]], scores: Sequence[Sequence[Tensor]]
) -> list[list[float]]:
    """The scores of the segments of each unit, in the order of the packed list."""
    found: dict[int, list[float]] = {}
    for rank_rows, rank_scores in zip(rows, scores, strict=True):
        for row, scores_S in zip(rank_rows, rank_scores, strict=True):
            for index, score in zip(row.sample_indices, scores_S.tolist(), strict=True):
                found.setdefault(index, []).append(score)
    found.pop(PADDING_INDEX, None)
    return [found[index] for index in range(len(found))]
