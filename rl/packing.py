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
    if share_prompts:
        bins = _bins_of_shared_prompts(samples, row_tokens, num_ranks)
    else:
        bins = [best_fit(dealt, lengths, row_tokens) for dealt in deal_out(lengths, num_ranks)]
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


def deal_out(lengths: Sequence[int], num_ranks: int) -> list[list[int]]:
    """Sample indices per rank: longest first, each to the rank with the fewest tokens so far."""
    dealt: list[list[int]] = [[] for _ in range(num_ranks)]
    tokens = [0] * num_ranks
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        rank = tokens.index(min(tokens))
        dealt[rank].append(index)
        tokens[rank] += lengths[index]
    return dealt


def best_fit(
    indices: Sequence[int],
    lengths: Sequence[int],
    row_tokens: int,
    prompts: Sequence[tuple[str, int]] | None = None,
) -> list[list[int]]:
    """Each sample, in the given order, into the fullest row that still has room for it.

    prompts: the prompt of each sample and its tokens, when a row that has the prompt already needs
    no room for it; such a row comes first. None: nothing is shared.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for index in indices:
        needed = [
            lengths[index] - (prompts[index][1] if prompts and _has(row, prompts, index) else 0)
            for row in rows
        ]
        fitting = [number for number in range(len(rows)) if room[number] >= needed[number]]
        if fitting:
            best = min(fitting, key=lambda number: (needed[number], room[number]))
            room[best] -= needed[best]
            rows[best].append(index)
        else:
            rows.append([index])
            room.append(row_tokens - lengths[index])
    return rows


def _has(row: Sequence[int], prompts: Sequence[tuple[str, int]], index: int) -> bool:
    return any(prompts[other][0] == prompts[index][0] for other in row)


def _bins_of_shared_prompts(
    samples: Sequence[Sample], row_tokens: int, num_ranks: int
) -> list[list[list[int]]]:
    """Sample indices per rank and row: all samples of a prompt on one rank, longest first."""
    lengths = [len(sample.token_ids) for sample in samples]
    # What comes before the first token that is trained on; nothing when none is.
    prompts = [(sample.prompt_id, int(sample.loss_mask.int().argmax())) for sample in samples]
    found: dict[str, list[int]] = {}
    for index in sorted(range(len(samples)), key=lambda index: (-lengths[index], index)):
        found.setdefault(prompts[index][0], []).append(index)
    groups = list(found.values())
    sizes = [
        sum(lengths[index] for index in group) - (len(group) - 1) * prompts[group[0]][1]
        for group in groups
    ]
    return [
        best_fit(
            [index for number in dealt for index in groups[number]], lengths, row_tokens, prompts
        )
        for dealt in deal_out(sizes, num_ranks)
    ]


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
