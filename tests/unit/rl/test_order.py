"""The order of training data."""

from __future__ import annotations

import pytest

from rl.order import batch_of_step


def epochs(length: int, count: int, num: int, seed: int = 0) -> list[list[int]]:
    steps = length // count
    return [
        [
            i
            for step in range(steps)
            for i in batch_of_step(length, count, epoch * steps + step, seed)
        ]
        for epoch in range(num)
    ]


@pytest.mark.parametrize(("length", "count"), [(10, 5), (10, 10), (7, 3), (5, 1)])
def test_an_epoch_has_everything_once_but_what_fills_no_batch(length: int, count: int) -> None:
    first, second = epochs(length, count, 2)
    for epoch in (first, second):
        assert len(set(epoch)) == len(epoch) == length // count * count
        assert set(epoch) <= set(range(length))
    assert first != second


def test_what_is_left_out_changes_from_epoch_to_epoch() -> None:
    left_out = {frozenset(range(7)) - frozenset(epoch) for epoch in epochs(7, 3, 20)}
    assert len(left_out) > 3


def test_it_follows_from_seed_and_step_alone() -> None:
    assert batch_of_step(10, 4, 7, 0) == batch_of_step(10, 4, 7, 0)
    assert epochs(10, 4, 3) != epochs(10, 4, 3, seed=1)
    assert epochs(10, 5, 2) == epochs(10, 1, 2)  # the batch size cuts the order, no more
