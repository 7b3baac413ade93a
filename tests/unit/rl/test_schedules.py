"""Schedules at their corners."""

from __future__ import annotations

import pytest

from rl.schedules import learning_rate, length_cap, reference_due


@pytest.mark.parametrize(
    ("update", "warmup", "expected"),
    [(0, 0, 1.0), (7, 0, 1.0), (0, 4, 0.25), (2, 4, 0.75), (3, 4, 1.0), (99, 4, 1.0), (0, 1, 1.0)],
)
def test_learning_rate(update: int, warmup: int, expected: float) -> None:
    assert learning_rate(update, 2e-6, warmup) == pytest.approx(2e-6 * expected)


@pytest.mark.parametrize(
    ("update", "expected"), [(0, 32), (8199, 32), (8200, 64), (8999, 64), (9000, 16), (10**6, 16)]
)
def test_length_cap(update: int, expected: int) -> None:
    assert length_cap(update, 32, {9000: 16, 8200: 64}) == expected


def test_length_cap_without_schedule() -> None:
    assert length_cap(12345, 32, {}) == 32


def test_the_reference_is_replaced_every_25_rollouts_of_16_updates() -> None:
    due = [step for step in range(1, 101) if reference_due(16 * (step - 1), 16 * step, 400)]
    assert due == [25, 50, 75, 100]


@pytest.mark.parametrize("updates_per_step", [1, 3, 7, 13])
def test_uneven_steps_neither_skip_nor_repeat(updates_per_step: int) -> None:
    last = 20 * 91
    counts = range(0, last, updates_per_step)
    due = sum(reference_due(n, min(n + updates_per_step, last), 20) for n in counts)
    assert due == 91


def test_no_update_and_no_period_mean_never() -> None:
    assert not reference_due(400, 400, 400)
    assert not reference_due(0, 10**6, 0)
