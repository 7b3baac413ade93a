"""Attention over packed rows: several samples end to end, none sees another.

On the CPU a function registered with transformers runs one causal attention call over a batch of
right-padded segments: no [T, T] mask exists and no work is done between segments. On GPUs flash
attention takes the segment borders (cu_seqlens). dense_mask is the slow twin for tests.

Shapes: T tokens of a packed row, U of them computed (model/prefixes.py; U = T unless beginnings
are shared), S segments, N segments of one bucket, L longest of them, H heads, K key/value heads,
D head dimension (MLA: queries and keys have another than values).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface
from transformers.utils.generic import is_flash_attention_requested

from model.prefixes import Computed, every_token

SEGMENT_ATTENTION = "r1_foundry_segments"

MIN_LENGTH_SHARE = 0.75
"""Segments are padded together when the shortest has at least this share of the longest's length,
or when all are so short that padding costs less than another call."""
SHORT_LENGTH = 64

LONGEST_PLAIN = 512
"""Up to this length [L, L] scores in bfloat16 are faster on the CPU than the fused kernel."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Segments that are padded to the same length and attended in one call."""

    num_segments: int
    max_length: int
    source_U: Tensor
    """[n] the computed tokens of this bucket, segment by segment; shared ones come repeatedly."""
    target_NL: Tensor
    """[n] where they go in the flattened [N * L] batch."""
    answer_NL: Tensor
    """[m] where the results of the tokens that are first in the row stand in that batch."""
    answer_U: Tensor
    """[m] which computed tokens these are."""


@dataclass(frozen=True, slots=True)
class Segments:
    """How a row is cut, as attention needs it."""

    lengths: tuple[int, ...]
    buckets: tuple[Bucket, ...]
    shared: bool
    """Whether a computed token stands in several segments."""

    @classmethod
    def from_lengths(cls, lengths: Sequence[int], computed: Computed | None = None) -> Segments:
        """Segments.from_lengths((3, 2)) puts both into one bucket: [0, 1, 2] and [3, 4, pad].

        computed: which tokens the row really has; None: all of them.
        """
        computed = computed or every_token(sum(lengths))
        starts = [0]
        for length in lengths:
            starts.append(starts[-1] + length)
        order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        groups: list[list[int]] = []
        for i in order:
            longest = lengths[groups[-1][0]] if groups else 0
            if groups and (longest <= SHORT_LENGTH or lengths[i] >= MIN_LENGTH_SHARE * longest):
                groups[-1].append(i)
            else:
                groups.append([i])
        buckets = tuple(_bucket(group, starts, lengths, computed) for group in groups)
        return cls(tuple(lengths), buckets, computed.shared)


def _bucket(
    group: Sequence[int], starts: Sequence[int], lengths: Sequence[int], computed: Computed
) -> Bucket:
    max_length = lengths[group[0]]
    places_T = torch.cat([torch.arange(starts[i], starts[i] + lengths[i]) for i in group])
    target_NL = torch.cat([torch.arange(lengths[i]) + n * max_length for n, i in enumerate(group)])
    source_U = computed.index_T[places_T]
    is_first = computed.first_U[source_U] == places_T
    return Bucket(
        len(group), max_length, source_U, target_NL, target_NL[is_first], source_U[is_first]
    )


def position_ids(lengths: Sequence[int]) -> Tensor:
    """[T] positions that start again at 0 in every segment."""
    return torch.cat([torch.arange(length) for length in lengths])


def packed_arguments(
    lengths: Sequence[int], attention: str, device: torch.device, computed: Computed | None = None
) -> dict[str, Any]:
    """What to pass to the model beside token and position ids, for the given implementation."""
    if attention == SEGMENT_ATTENTION:
        return {"segments": Segments.from_lengths(lengths, computed)}
    assert computed is None or not computed.shared, f"{attention} cannot share beginnings"
    if is_flash_attention_requested(requested_attention_implementation=attention):
        borders = torch.tensor((0, *lengths), device=device).cumsum(0).to(torch.int32)
        return {
            "cu_seq_lens_q": borders,
            "cu_seq_lens_k": borders,
            "max_length_q": max(lengths),
            "max_length_k": max(lengths),
        }
    assert attention == "sdpa", attention
    return {"attention_mask": dense_mask(lengths, device)}


def dense_mask(lengths: Sequence[int], device: torch.device) -> Tensor:
    """[1, 1, T, T] bool, True where a token may look: the same segment, not later. Slow twin."""
    segment_T = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    same = segment_T[:, None] == segment_T[None, :]
    return torch.tril(same)[None, None].to(device)


class _Rearrange(torch.autograd.Function):
    """out[target] = x[source] along the first dimension, zeros elsewhere.

    target names every row at most once, and so does source unless it is shared. Then the gradient
    is the same operation the other way round: no atomics or sorting, and the same bits on every
    run. Gradients of shared rows are added up in the order of source.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, source: Tensor, target: Tensor, num_rows: int, shared: bool
    ) -> Tensor:
        ctx.save_for_backward(source, target)
        ctx.num_rows, ctx.shared = len(x), shared
        out = x.new_zeros(num_rows, *x.shape[1:])
        return out.index_copy_(0, target, x.index_select(0, source))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:  # type: ignore[override]
        source, target = ctx.saved_tensors
        out = grad.new_zeros(ctx.num_rows, *grad.shape[1:])
        put = out.index_add_ if ctx.shared else out.index_copy_
        return put(0, source, grad.index_select(0, target)), None, None, None, None


def segment_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    segments: Segments,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Causal attention inside each segment. query [1, H, U, D], key [1, K, U, D],
    value [1, K, U, Dv]; returns [1, U, H, Dv] and no attention weights."""
    assert query.shape[0] == 1 and dropout == 0.0 and attention_mask is None
    longest = max(segments.lengths)
    assert sliding_window is None or longest <= sliding_window, "sliding windows are not supported"
    rows = [x[0].transpose(0, 1) for x in (query, key, value)]  # [U, heads, D]
    num_tokens = query.shape[2]
    out = None
    for bucket in segments.buckets:
        num_rows = bucket.num_segments * bucket.max_length
        padded = [
            _Rearrange.apply(x, bucket.source_U, bucket.target_NL, num_rows, segments.shared)
            .view(bucket.num_segments, bucket.max_length, *x.shape[1:])
            .transpose(1, 2)
            for x in rows
        ]
        attended = _causal_attention(*padded, scaling=scaling)  # [N, H, L, Dv]
        flat = attended.transpose(1, 2).reshape(num_rows, *attended.shape[1::2])
        part = _Rearrange.apply(flat, bucket.answer_NL, bucket.answer_U, num_tokens, False)
        out = part if out is None else out + part
    assert out is not None
    return out[None], None


def _causal_attention(query: Tensor, key: Tensor, value: Tensor, *, scaling: float) -> Tensor:
    """[N, H, L, Dv]. The fast kernel of the CPU wants equal head dimensions, so that MLA's values
    are widened with zeros."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    length = query.shape[2]
    if query.dtype == torch.bfloat16 and length <= LONGEST_PLAIN and query.device.type == "cpu":
        return _plain_causal_attention(query * scaling, key, value)
    value_dim = value.shape[-1]
    if value_dim < query.shape[-1]:
        value = F.pad(value, (0, query.shape[-1] - value_dim))
    out = F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
    return out[..., :value_dim]


def _plain_causal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The same with [N, H, L, L] scores in memory: two matrix products that the CPU does in
    bfloat16, where the backward pass of the fused kernel falls back to float32."""
    length = query.shape[2]
    hidden = torch.full((length, length), float("-inf"), dtype=query.dtype).triu(1)
    # Adding in place: filling by a mask takes ten times as long and keeps a second copy.
    scores = (query @ key.transpose(-1, -2)).add_(hidden)
    return scores.softmax(dim=-1) @ value


# transformers builds no mask for a name that has no mask function of its own.
AttentionInterface.register(SEGMENT_ATTENTION, segment_attention)
