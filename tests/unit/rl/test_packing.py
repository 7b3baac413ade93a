"""Packing: nothing lost, nothing doubled, nothing misaligned, ranks in step."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rl.losses import policy_loss, row_inputs, token_weights
from rl.packing import assert_aligned, pack, padding_row, unpack
from rl.records import Row, Sample


def sample_of_length(length: int, *, tag: int = 0, reference: bool = False) -> Sample:
    """Every number in it tells which sample (tag) and position it belongs to."""
    values = torch.arange(length) + 1000.0 * tag
    prompt = length // 3
    return Sample(
        prompt_id=str(tag),
        sample_index=0,
        token_ids=values.long(),
        loss_mask=torch.arange(length) >= prompt,
        behaviour_log_probs=-values - 0.25,
        advantage=float(tag),
        policy_version=0,
        old_log_probs=-values - 0.5,
        reference_log_probs=-values - 0.75 if reference else None,
    )


def random_samples(draw: random.Random, *, longest: int, reference: bool) -> list[Sample]:
    number = draw.randint(0, 40)
    return [
        sample_of_length(draw.randint(1, longest), tag=tag, reference=reference)
        for tag in range(number)
    ]


def flat(rows: list[list[Row]]) -> list[Row]:
    return [row for rank_rows in rows for row in rank_rows]


@pytest.mark.parametrize("seed", range(40))
def test_properties(seed: int) -> None:
    draw = random.Random(seed)
    row_tokens, num_ranks = draw.randint(10, 60), draw.randint(1, 4)
    multiple, reference = draw.randint(1, 3), draw.random() < 0.5
    samples = random_samples(draw, longest=row_tokens, reference=reference)
    weights = [draw.random() for _ in samples]
    rows = pack(
        samples,
        row_tokens=row_tokens,
        num_ranks=num_ranks,
        weights=weights,
        rows_multiple_of=multiple,
    )
    assert len(rows) == num_ranks
    assert len({len(rank_rows) for rank_rows in rows}) == 1
    assert len(rows[0]) % multiple == 0
    found = [index for row in flat(rows) for index in row.sample_indices if index >= 0]
    assert sorted(found) == list(range(len(samples)))
    for row in flat(rows):
        assert_aligned(row)
        assert len(row.token_ids) <= row_tokens
        if -1 not in row.sample_indices:
            assert (row.reference_log_probs is not None) == reference
    check_contents(samples, flat(rows), weights)


def check_contents(samples: list[Sample], rows: list[Row], weights: list[float]) -> None:
    """Every array comes back to the sample that it came from."""
    fields = ["token_ids", "loss_mask", "behaviour_log_probs", "old_log_probs"]
    if samples and samples[0].reference_log_probs is not None:
        fields.append("reference_log_probs")
    for field in fields:
        for sample, values in zip(samples, unpacked(rows, field), strict=True):
            assert torch.equal(values, getattr(sample, field)), field
    for sample, values in zip(samples, unpacked(rows, "advantages"), strict=True):
        assert torch.equal(values, torch.full_like(values, sample.advantage))
    pairs = zip(samples, weights, unpacked(rows, "weights"), strict=True)
    for sample, weight, values in pairs:
        assert torch.equal(values, sample.loss_mask * torch.tensor(weight))


def unpacked(rows: list[Row], field: str) -> list[Tensor]:
    return unpack(rows, [getattr(row, field) for row in rows])


def test_best_fit_by_hand() -> None:
    """Lengths 6, 5, 4, 4, 3, 2 fill rows of 8 completely; first-fit in this order needs four."""
    samples = [sample_of_length(length, tag=tag) for tag, length in enumerate([3, 6, 4, 2, 5, 4])]
    (rows,) = pack(samples, row_tokens=8, num_ranks=1)
    assert [row.segment_lengths for row in rows] == [(6, 2), (5, 3), (4, 4)]
    assert [row.sample_indices for row in rows] == [(1, 3), (4, 0), (2, 5)]


def test_the_fullest_row_with_room_is_taken() -> None:
    """With 12 and 19 of 20 tokens taken, a sample of 1 goes to the second row."""
    samples = [sample_of_length(length, tag=tag) for tag, length in enumerate([12, 10, 9, 1])]
    (rows,) = pack(samples, row_tokens=20, num_ranks=1)
    assert [row.segment_lengths for row in rows] == [(12,), (10, 9, 1)]


def of_prompt(name: str, prompt: int, completion: int) -> Sample:
    sample = sample_of_length(prompt + completion)
    return replace(sample, prompt_id=name, loss_mask=torch.arange(prompt + completion) >= prompt)


def test_shared_prompts_count_once_by_hand() -> None:
    """Rows of 10: prompt a (4) with completions of 3 and 3 fills one, though the samples are 7
    tokens each; its third completion starts a second row with the prompt again; b goes to it."""
    samples = [of_prompt("a", 4, 3), of_prompt("b", 2, 1), of_prompt("a", 4, 3)]
    samples.append(of_prompt("a", 4, 2))
    (rows,) = pack(samples, row_tokens=10, num_ranks=1, share_prompts=True)
    assert [row.sample_indices for row in rows] == [(0, 2), (3, 1)]
    assert [row.segment_lengths for row in rows] == [(7, 7), (6, 3)]
    (apart,) = pack(samples, row_tokens=10, num_ranks=1)
    assert [row.segment_lengths for row in apart] == [(7, 3), (7,), (6,)]


@pytest.mark.parametrize("seed", range(10))
def test_shared_prompts_lose_nothing_and_stay_on_one_rank(seed: int) -> None:
    draw = random.Random(seed)
    prompts = {str(tag): draw.randint(1, 20) for tag in range(draw.randint(1, 9))}
    samples = [
        of_prompt(name, prompts[name], draw.randint(1, 20))
        for name in draw.choices(list(prompts), k=draw.randint(1, 40))
    ]
    rows = pack(samples, row_tokens=64, num_ranks=2, share_prompts=True)
    check_contents(samples, flat(rows), [0.0] * len(samples))
    places: dict[str, set[int]] = {}
    for rank, rank_rows in enumerate(rows):
        for row in rank_rows:
            if -1 in row.sample_indices:
                continue
            inside = [samples[index] for index in row.sample_indices]
            once = {sample.prompt_id: prompts[sample.prompt_id] for sample in inside}
            completions = sum(int(sample.loss_mask.sum()) for sample in inside)
            assert sum(once.values()) + completions <= 64
            for name in once:
                places.setdefault(name, set()).add(rank)
    assert all(len(ranks) == 1 for ranks in places.values())


def test_ranks_get_the_same_number_of_tokens_within_one_sample() -> None:
    draw = random.Random(0)
    samples = random_samples(draw, longest=50, reference=False)
    rows = pack(samples, row_tokens=64, num_ranks=3)
    tokens = [
        sum(len(row.token_ids) for row in rank_rows if -1 not in row.sample_indices)
        for rank_rows in rows
    ]
    assert max(tokens) - min(tokens) <= max(len(sample.token_ids) for sample in samples)


def test_same_arguments_same_rows() -> None:
    samples = random_samples(random.Random(3), longest=30, reference=True)
    first, second = (flat(pack(samples, row_tokens=40, num_ranks=2)) for _ in range(2))
    assert [row.sample_indices for row in first] == [row.sample_indices for row in second]


def test_padding_rows_fill_ranks_up() -> None:
    rows = pack([sample_of_length(4)], row_tokens=4, num_ranks=3, weights=[1.0], rows_multiple_of=2)
    assert [len(rank_rows) for rank_rows in rows] == [2, 2, 2]
    padding = [row for row in flat(rows) if row.sample_indices == (-1,)]
    assert len(padding) == 5
    for row in padding:
        assert row.weights.sum() == 0.0
        assert not row.loss_mask.any()


def test_no_samples_no_rows() -> None:
    assert pack([], row_tokens=4, num_ranks=2) == [[], []]
    assert unpack([], []) == []


def test_a_sample_longer_than_a_row_is_refused() -> None:
    with pytest.raises(AssertionError, match="9 tokens in rows of 8"):
        pack([sample_of_length(9)], row_tokens=8, num_ranks=1)


def test_unknown_old_log_probs_are_those_of_the_sampler() -> None:
    sample = replace(sample_of_length(5), old_log_probs=None)
    ((row,),) = pack([sample], row_tokens=8, num_ranks=1)
    assert torch.equal(row.old_log_probs, sample.behaviour_log_probs)


def test_reference_on_some_samples_only_is_refused() -> None:
    samples = [sample_of_length(3, reference=True), sample_of_length(3)]
    with pytest.raises(AssertionError, match="on some samples only"):
        pack(samples, row_tokens=8, num_ranks=1)


def test_unpack_notices_missing_and_doubled_samples() -> None:
    rows = flat(pack([sample_of_length(4), sample_of_length(4)], row_tokens=4, num_ranks=1))
    with pytest.raises(AssertionError, match="missing"):
        unpack(rows[1:], [row.token_ids for row in rows[1:]])
    with pytest.raises(AssertionError, match="twice"):
        unpack([rows[0], rows[0]], [rows[0].token_ids] * 2)


@pytest.mark.parametrize(
    "change",
    [
        {"advantages": torch.zeros(3)},
        {"weights": torch.zeros(4, dtype=torch.float64)},
        {"weights": torch.ones(4)},
        {"sample_indices": (0, 1)},
        {"segment_lengths": (2, 3)},
        {"segment_lengths": (4, 0), "sample_indices": (0, 1)},
        {"reference_log_probs": torch.zeros(5)},
    ],
)
def test_assert_aligned_notices(change: dict) -> None:
    ((row,),) = pack([sample_of_length(4)], row_tokens=4, num_ranks=1, weights=[1.0])
    assert_aligned(row)
    with pytest.raises(AssertionError):
        assert_aligned(replace(row, **change))


def test_padding_row_is_aligned() -> None:
    for with_reference in (False, True):
        assert_aligned(padding_row(with_reference=with_reference))


@pytest.mark.parametrize("loss", ["grpo", "dapo", "gspo", "cispo"])
def test_the_loss_does_not_depend_on_the_packing(loss: str) -> None:
    """From one sample per row on one rank to everything in one row, and in any order."""
    draw, generator = random.Random(1), torch.Generator().manual_seed(1)
    samples = [
        replace(
            sample_of_length(draw.randint(3, 20)),
            advantage=draw.gauss(0, 1),
            old_log_probs=None,
        )
        for _ in range(12)
    ]
    samples = [
        replace(s, behaviour_log_probs=torch.rand(s.token_ids.shape, generator=generator) - 1.5)
        for s in samples
    ]
    lengths = [int(sample.loss_mask.sum()) for sample in samples]
    aggregation = "sequence_mean" if loss in ("grpo", "gspo") else "token_mean"
    weights = token_weights(lengths, aggregation=aggregation, max_tokens=20)

    def total(order: list[int], row_tokens: int, num_ranks: int) -> float:
        rows = pack(
            [samples[index] for index in order],
            row_tokens=row_tokens,
            num_ranks=num_ranks,
            weights=[weights[index] for index in order],
        )
        outputs = [
            policy_loss(
                row_inputs(row, 0.7 * row.old_log_probs),
                loss=loss,
                clip_low=0.2,
                clip_high=0.28,
                kl_coef=0.0,
                kl_estimator="k3",
                importance_correction="none",
                importance_cap=2.0,
            )
            for row in flat(rows)
        ]
        return sum(output.loss.item() for output in outputs)

    whole = total(list(range(12)), 1000, 1)
    assert abs(whole) > 1e-3
    for _ in range(5):
        order = draw.sample(range(12), 12)
        split = total(order, draw.randint(20, 60), draw.randint(1, 4))
        assert split == pytest.approx(whole, rel=1e-5)
