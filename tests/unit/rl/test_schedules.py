"""Schedules at their corners."""

from __future__ import annotations

import pytest

from rl.schedules import cosine_rate, learning_rate, length_cap, reference_due


@pytest.mark.parametrize(
    ("update", "warmup", "expected"),
    [(0, 0, 1.0), (7, 0, 1.0), (0, 4, 0.25), (2, 4, 0.75), (3, 4, 1.0), (99, 4, 1.0), (0, 1, 1.0)],
)
def test_learning_rate(update: int, warmup: int, expected: float) -> None:
    assert learning_rate(update, 2e-6, warmup) == pytest.approx(2e-6 * expected)


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (0, 5e-5),
        (25, 5e-6 + 4.5e-5 * (1 + 0.5**0.5) / 2),  # cos(pi / 4)
        (50, 2.75e-5),
        (75, 5e-6 + 4.5e-5 * (1 - 0.5**0.5) / 2),
        (100, 5e-6),
    ],
)
def test_cosine_from_the_papers_rate_to_its_tenth(update: int, expected: float) -> None:
    assert cosine_rate(update, 101, 5e-5, 5e-6, 0) == pytest.approx(expected, rel=1e-12)


def test_cosine_after_a_warm_up() -> None:
    rates = [cosine_rate(update, 9, 1.0, 0.2, 4) for update in range(9)]
    cosine = [1.0, 0.2 + 0.8 * (1 + 0.5**0.5) / 2, 0.6, 0.2 + 0.8 * (1 - 0.5**0.5) / 2, 0.2]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, *cosine])


@pytest.mark.parametrize(("total", "warmup"), [(1, 0), (2, 1)])
def test_cosine_of_a_single_update_is_its_beginning(total: int, warmup: int) -> None:
    assert cosine_rate(total - 1, total, 1.0, 0.1, warmup) == 1.0


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
