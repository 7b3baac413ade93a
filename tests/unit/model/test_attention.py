from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers.modeling_flash_attention_utils import FLASH_ATTN_KERNEL_FALLBACK

from model.attention import (
    SHORT_LENGTH,
    Segments,
    dense_mask,
    packed_arguments,
    position_ids,
    segment_attention,
)
from model.prefixes import distinct_tokens

LENGTHS = [(5,), (3, 2), (1, 7, 1, 4), (90, 3, 80, 70, 20)]


def random_heads(num_tokens: int, heads: int, kv_heads: int, dims: tuple[int, int]) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = [(heads, dims[0]), (kv_heads, dims[0]), (kv_heads, dims[1])]
    return [
        torch.randn(1, h, num_tokens, d, dtype=torch.float64, requires_grad=True) for h, d in shapes
    ]


def dense_attention(query: Tensor, key: Tensor, value: Tensor, lengths: tuple[int, ...]) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    scores = query @ key.transpose(-1, -2) * 0.3
    mask = dense_mask(lengths, torch.device("cpu"))
    return (scores.masked_fill(~mask, float("-inf")).softmax(-1) @ value).transpose(1, 2)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(
    ("heads", "kv_heads", "dims"),
    [(2, 2, (8, 8)), (4, 2, (8, 8)), (2, 2, (12, 4))],
    ids=["plain", "grouped", "mla"],
)
def test_equals_dense_attention(
    lengths: tuple[int, ...], heads: int, kv_heads: int, dims: tuple[int, int]
) -> None:
    inputs = random_heads(sum(lengths), heads, kv_heads, dims)
    segments = Segments.from_lengths(lengths)
    ours, _ = segment_attention(nn.Identity(), *inputs, None, segments=segments, scaling=0.3)
    theirs = dense_attention(*inputs, lengths)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    upstream = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad(ours, inputs, upstream),
        torch.autograd.grad(theirs, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_segments_do_not_see_each_other(dtype: torch.dtype) -> None:
    lengths = (40, 30, 50)
    inputs = [x.detach().to(dtype) for x in random_heads(sum(lengths), 2, 1, (8, 8))]
    segments = Segments.from_lengths(lengths)

    def attend(changed: list[Tensor]) -> Tensor:
        return segment_attention(nn.Identity(), *changed, None, segments=segments, scaling=0.3)[0]

    before = attend(inputs)
    changed = [x.clone() for x in inputs]
    for x in changed:
        x[:, :, 40:70] = 9.0
    after = attend(changed)
    assert torch.equal(after[:, :40], before[:, :40])
    assert torch.equal(after[:, 70:], before[:, 70:])
    assert not torch.equal(after[:, 40:70], before[:, 40:70])

    leaves = [x.clone().requires_grad_() for x in inputs]
    attend(leaves)[:, 40:70].float().square().sum().backward()
    for leaf in leaves:
        assert leaf.grad is not None
        assert not leaf.grad[:, :, :40].any() and not leaf.grad[:, :, 70:].any()
        assert leaf.grad[:, :, 40:70].any()


def test_the_future_is_not_seen() -> None:
    inputs = [x.detach() for x in random_heads(9, 2, 2, (8, 8))]
    segments = Segments.from_lengths((4, 5))
    before, _ = segment_attention(nn.Identity(), *inputs, None, segments=segments, scaling=0.3)
    for x in inputs:
        x[:, :, 7:] = 9.0
    after, _ = segment_attention(nn.Identity(), *inputs, None, segments=segments, scaling=0.3)
    assert torch.equal(after[:, :7], before[:, :7])


@pytest.mark.parametrize(
    "segments",
    [["abcd", "abx", "abcdef", "q"], ["ab" * 40 + "x", "ab" * 45, "b"]],
    ids=["", "long"],
)
def test_shared_beginnings_equal_computing_every_token(segments: list[str]) -> None:
    """Gradients too: those of a shared token are the sums over the samples that it stands for."""
    lengths = [len(segment) for segment in segments]
    computed = distinct_tokens(torch.tensor([ord(c) for c in "".join(segments)]), lengths)
    assert computed.shared
    inputs = random_heads(len(computed.first_U), 4, 2, (12, 4))
    every = [x[:, :, computed.index_T] for x in inputs]
    shared = Segments.from_lengths(lengths, computed)
    ours, _ = segment_attention(nn.Identity(), *inputs, None, segments=shared, scaling=0.3)
    theirs = dense_attention(*every, tuple(lengths))
    torch.testing.assert_close(ours[:, computed.index_T], theirs, atol=1e-12, rtol=0)
    upstream = torch.randn_like(theirs)
    ours = ours[:, computed.index_T]
    for a, b in zip(
        torch.autograd.grad(ours, inputs, upstream),
        torch.autograd.grad(theirs, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def test_short_segments_share_a_bucket_and_long_ones_go_with_their_like() -> None:
    assert len(Segments.from_lengths((SHORT_LENGTH, 1, 30)).buckets) == 1
    lengths = (1000, 900, 400, 390, 10, 64)
    buckets = Segments.from_lengths(lengths).buckets
    assert [(b.num_segments, b.max_length) for b in buckets] == [(2, 1000), (2, 400), (2, 64)]
    sources = torch.cat([bucket.source_U for bucket in buckets])
    assert sorted(sources.tolist()) == list(range(sum(lengths)))


@pytest.mark.parametrize(
    "name", ["flash_attention_2", FLASH_ATTN_KERNEL_FALLBACK["flash_attention_2"]]
)
def test_arguments_of_flash_attention(name: str) -> None:
    """The second is what transformers makes of the first where the package kernels has it."""
    arguments = packed_arguments((3, 2), name, torch.device("cpu"))
    assert arguments["cu_seq_lens_q"].tolist() == [0, 3, 5]
    assert arguments["cu_seq_lens_k"].dtype == torch.int32
    assert arguments["max_length_q"] == 3
    assert position_ids((3, 2)).tolist() == [0, 1, 2, 0, 1]
