import math

import pytest
import torch

from rl.judged import Judged, judged_loss, pack_judged, scores_of_units


def unit(name: str, *lengths: int, label: float = 1.0) -> Judged:
    return Judged(name, tuple(torch.full((n,), n) for n in lengths), label)


def test_pairs_stay_together_and_ranks_get_equally_many_rows():
    pairs = [unit(str(n), n, n + 1) for n in range(1, 8)]
    rows = pack_judged(pairs, row_tokens=16, num_ranks=2, rows_multiple_of=2)
    assert len(rows[0]) == len(rows[1]) and len(rows[0]) % 2 == 0
    flat = [row for each in rows for row in each]
    for row in flat:
        assert len(row.token_ids) == sum(row.segment_lengths) <= 16
        assert row.sample_indices[0::2] == row.sample_indices[1::2]
        for chosen, rejected in zip(
            row.segment_lengths[0::2], row.segment_lengths[1::2], strict=True
        ):
            assert rejected == chosen + 1 or (chosen, rejected) == (1, 1)
    assert sum(float(row.weights.sum()) for row in flat) == pytest.approx(1.0)
    scores = [[torch.tensor(r.segment_lengths).float() for r in each] for each in rows]
    assert scores_of_units(rows, scores) == [[n, n + 1] for n in range(1, 8)]


def test_pairwise_loss_by_hand():
    """-log sigmoid(s_chosen - s_rejected), mean over the pairs."""
    ((row,),) = pack_judged([unit("a", 3, 2), unit("b", 1, 4)], row_tokens=16, num_ranks=1)
    scores = torch.zeros(4)
    for place, index in enumerate(row.sample_indices):
        # Pair 0: 2 against 0.5; pair 1: -1 against 1.
        scores[place] = [[2.0, 0.5], [-1.0, 1.0]][index][place % 2]
    scores.requires_grad_()
    outputs = judged_loss(row, scores)
    expected = (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(2.0))) / 2
    assert outputs.loss.item() == pytest.approx(expected, rel=1e-6)
    assert outputs.metrics["judged/accuracy"].item() == 0.5
    outputs.loss.backward()
    first = row.sample_indices.index(0)
    slope = -1.0 / (1.0 + math.exp(1.5)) / 2
    assert scores.grad[first : first + 2].tolist() == pytest.approx([slope, -slope], rel=1e-5)


def test_pointwise_loss_by_hand():
    units = [unit("safe", 2, label=1.0), unit("unsafe", 3, label=0.0)]
    ((row,),) = pack_judged(units, row_tokens=16, num_ranks=1)
    scores = torch.tensor([[1.5, -0.5][index] for index in row.sample_indices])
    outputs = judged_loss(row, scores)
    expected = (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(-0.5))) / 2
    assert outputs.loss.item() == pytest.approx(expected, rel=1e-6)
    assert outputs.metrics["judged/accuracy"].item() == 1.0
