"""Samples to rows and back: best-fit packing, the same number of rows on every rank.

R1 (arXiv 2501.12948v2) B.1: sort by length, distribute over the data-parallel ranks, best-fit
into rows of fixed size per rank, make the number of rows equal on all ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rl.records import Row, Sample

PADDING_INDEX = -1
"""Sample index of a segment that only fills a rank's row count up."""


def pack(
    samples: Sequence[Sample],
    *,
    row_tokens: int,
    num_ranks: int,
    weights: Sequence[float] | None = None,
    rows_multiple_of: int = 1,
    share_prompts: bool = False,
) -> list[list[Row]]:
    """rows[rank], equally many for each rank; a function of its arguments alone.

    weights: per sample, the weight of each of its loss tokens (`rl.losses.token_weights`); None
    for forward passes without a loss. The number of rows per rank is rounded up to a multiple of
    rows_multiple_of with padding rows of one token and weight 0. A sample whose old log-probs are
    not known gets the sampler's in their place. share_prompts: keep the samples of a prompt
    together, and count the prompt once per row, for a learner that computes it once.
    """
    lengths = [len(sample.token_ids) for sample in samples]
    assert max(lengths, default=0) <= row_tokens, f"{max(lengths)} tokens in rows of {row_tokens}"
    with_reference = {sample.reference_log_probs is not None for sample in samples}
    assert len(with_reference) <= 1, "reference log-probs on some samples only"
    if weights is None:
        weights = [0.0] * len(samples)
    bins = [
        _best_fit(samples, dealt, row_tokens, share_prompts)
        for dealt in _deal_out(samples, num_ranks, share_prompts)
    ]
    largest = max(len(rank_bins) for rank_bins in bins)
    num_rows = -(-largest // rows_multiple_of) * rows_multiple_of
    rows = [[_row(samples, weights, indices) for indices in rank_bins] for rank_bins in bins]
    padding = padding_row(with_reference=True in with_reference)
    return [rank_rows + [padding] * (num_rows - len(rank_rows)) for rank_rows in rows]


def unpack(rows: Sequence[Row], values: Sequence[Tensor]) -> list[Tensor]:
    """Per-token values [T] of each row to those [L] of each sample, in the order of the samples.

    The rows must hold every sample of the packed list exactly once.
    """
    pieces: dict[int, Tensor] = {}
    for row, values_T in zip(rows, values, strict=True):
        segments = values_T.split(list(row.segment_lengths))
        for index, segment in zip(row.sample_indices, segments, strict=True):
            assert index == PADDING_INDEX or index not in pieces, f"sample {index} packed twice"
            pieces[index] = segment
    pieces.pop(PADDING_INDEX, None)
    assert sorted(pieces) == list(range(len(pieces))), "a sample is missing from the rows"
    return [pieces[index] for index in range(len(pieces))]


def padding_row(*, with_reference: bool) -> Row:
    """A row of one token that changes no sum; keeps ranks in step."""
    zero = torch.zeros(1)
    return Row(
        token_ids=torch.zeros(1, dtype=torch.int64),
        segment_lengths=(1,),
        loss_mask=torch.zeros(1, dtype=torch.bool),
        behaviour_log_probs=zero,
        old_log_probs=zero,
        reference_log_probs=zero if with_reference else None,
        advantages=zero,
        weights=zero,
        sample_indices=(PADDING_INDEX,),
    )


def assert_aligned(row: Row) -> None:
    """Every per-token array has T entries of its dtype, and masked tokens have weight 0."""
    num_tokens = sum(row.segment_lengths)
    arrays = {
        "token_ids": (row.token_ids, torch.int64),
        "loss_mask": (row.loss_mask, torch.bool),
        "behaviour_log_probs": (row.behaviour_log_probs, torch.float32),
        "old_log_probs": (row.old_log_probs, torch.float32),
        "advantages": (row.advantages, torch.float32),
        "weights": (row.weights, torch.float32),
    }
    if row.reference_log_probs is not None:
        arrays["reference_log_probs"] = (row.reference_log_probs, torch.float32)
    for name, (values, dtype) in arrays.items():
        assert values.shape == (num_tokens,), f"{name}: {tuple(values.shape)}, T = {num_tokens}"
        assert values.dtype == dtype, f"{name}: {values.dtype}"
    assert len(row.sample_indices) == len(row.segment_lengths), "one sample index per segment"
    assert min(row.segment_lengths) > 0, "empty segment"
    assert not row.weights[~row.loss_mask].any(), "weight outside the loss mask"


def _groups(samples: Sequence[Sample], share_prompts: bool) -> list[list[int]]:
    """Indices of the samples that stay together, longest first: those of one prompt, or each."""
    groups: dict[object, list[int]] = {}
    for index, sample in enumerate(samples):
        groups.setdefault(sample.prompt_id if share_prompts else index, []).append(index)
    return [
        sorted(group, key=lambda index: (-len(samples[index].token_ids), index))
        for group in groups.values()
    ]


def _prompt_tokens(sample: Sample) -> int:
    """Tokens before the first that is trained on; 0 when none is."""
    return int(sample.loss_mask.int().argmax())


def _deal_out(samples: Sequence[Sample], num_ranks: int, share_prompts: bool) -> list[list[int]]:
    """Sample indices per rank: the largest group first, each to the rank with the fewest tokens."""

    def size(group: Sequence[int]) -> int:
        twice = _prompt_tokens(samples[group[0]]) * (len(group) - 1)
        return sum(len(samples[index].token_ids) for index in group) - twice

    dealt: list[list[int]] = [[] for _ in range(num_ranks)]
    tokens = [0] * num_ranks
    groups = _groups(samples, share_prompts)
    for group in sorted(groups, key=lambda group: (-size(group), group[0])):
        rank = tokens.index(min(tokens))
        dealt[rank] += group
        tokens[rank] += size(group)
    return dealt


def _best_fit(
    samples: Sequence[Sample], indices: Sequence[int], row_tokens: int, share_prompts: bool
) -> list[list[int]]:
    """Each sample, in the given order, into the fullest row that still has room for it; into one
    that has its prompt already, if there is one."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in indices:
        sample = samples[index]

        def tokens(row: int, sample: Sample = sample) -> int:
            there = share_prompts and any(
                samples[other].prompt_id == sample.prompt_id for other in rows[row]
            )
            return len(sample.token_ids) - (_prompt_tokens(sample) if there else 0)

        fitting = [row for row in range(len(rows)) if room[row] >= tokens(row)]
        if fitting:
            best = min(fitting, key=lambda row: (tokens(row), room[row]))
        else:
            best = len(rows)
            rows.append([])
            room.append(row_tokens)
        room[best] -= tokens(best)
        rows[best].append(index)
    return rows


def _row(samples: Sequence[Sample], weights: Sequence[float], indices: Sequence[int]) -> Row:
    chosen = [samples[index] for index in indices]
    references = [
        sample.reference_log_probs for sample in chosen if sample.reference_log_probs is not None
    ]
    row = Row(
        token_ids=torch.cat([sample.token_ids for sample in chosen]),
        segment_lengths=tuple(len(sample.token_ids) for sample in chosen),
        loss_mask=torch.cat([sample.loss_mask for sample in chosen]),
        behaviour_log_probs=torch.cat([sample.behaviour_log_probs for sample in chosen]),
        old_log_probs=torch.cat(
            [
                sample.behaviour_log_probs if sample.old_log_probs is None else sample.old_log_probs
                for sample in chosen
            ]
        ),
        reference_log_probs=torch.cat(references) if references else None,
        advantages=torch.cat(
            [torch.full(sample.token_ids.shape, sample.advantage) for sample in chosen]
        ),
        weights=torch.cat([samples[index].loss_mask.float() * weights[index] for index in indices]),
        sample_indices=tuple(indices),
    )
    assert_aligned(row)
    return row
