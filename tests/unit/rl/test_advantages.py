"""Advantages by hand, and what a missing verdict does."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from rl.advantages import ADVANTAGES, advantages, batch_mean_std, group_advantages


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mean_std", [3 / math.sqrt(3), -1 / math.sqrt(3), -1 / math.sqrt(3), -1 / math.sqrt(3)]),
        ("mean", [1.5, -0.5, -0.5, -0.5]),
        ("leave_one_out", [2.0, -2 / 3, -2 / 3, -2 / 3]),
    ],
)
def test_by_hand(kind: str, expected: list[float]) -> None:
    """Rewards 2, 0, 0, 0: mean 0.5, population variance (1.5^2 + 3 * 0.5^2) / 4 = 0.75."""
    assert group_advantages([2.0, 0.0, 0.0, 0.0], kind=kind) == pytest.approx(expected, rel=1e-5)


def test_std_is_the_population_one() -> None:
    """ddof 1 would give 1 / sqrt(2) = 0.707 for two completions."""
    assert group_advantages([1.0, 0.0], kind="mean_std") == pytest.approx([1.0, -1.0], rel=1e-5)


@pytest.mark.parametrize("kind", sorted(ADVANTAGES))
@pytest.mark.parametrize("reward", [0.0, 1.0, 0.47, 0.69, 1e9])
def test_equal_rewards_are_exactly_zero(kind: str, reward: float) -> None:
    """0.47 and 0.69 are not equal to the mean of seven of them in floating point."""
    assert group_advantages([reward] * 7, kind=kind) == [0.0] * 7


def test_float_noise_between_equal_rewards_stays_noise() -> None:
    rewards = [0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2]
    assert rewards[0] != rewards[1]
    assert group_advantages(rewards, kind="mean_std") == pytest.approx([0.0] * 4, abs=1e-9)


@pytest.mark.parametrize("kind", sorted(ADVANTAGES))
def test_no_verdict_leaves_the_baseline(kind: str) -> None:
    """A missing reward is neither a zero nor a member of the group."""
    with_gap = group_advantages([2.0, None, 0.0, 1.0], kind=kind)
    assert with_gap[1] is None
    assert with_gap[:1] + with_gap[2:] == group_advantages([2.0, 0.0, 1.0], kind=kind)
    assert with_gap[:1] + with_gap[2:] != group_advantages([2.0, 0.0, 0.0, 1.0], kind=kind)[:3]


@pytest.mark.parametrize("kind", sorted(ADVANTAGES))
@pytest.mark.parametrize("rewards", [[], [1.0], [None, None], [None, 1.0, None]])
def test_fewer_than_two_verdicts_give_none(kind: str, rewards: list[float | None]) -> None:
    assert group_advantages(rewards, kind=kind) == [None] * len(rewards)


@pytest.mark.parametrize("seed", range(5))
def test_leave_one_out_is_the_reward_minus_the_mean_of_the_others(seed: int) -> None:
    draw = random.Random(seed)
    rewards = [draw.gauss(0, 1) for _ in range(draw.randint(2, 9))]
    expected = [
        reward - statistics.fmean(rewards[:index] + rewards[index + 1 :])
        for index, reward in enumerate(rewards)
    ]
    assert group_advantages(rewards, kind="leave_one_out") == pytest.approx(expected)


def test_batch_mean_std_by_hand() -> None:
    """Rewards 4, 0 | 0, 0 over the whole batch: mean 1, variance (9 + 3) / 4 = 3."""
    root = math.sqrt(3)
    first, second = batch_mean_std([[4.0, None, 0.0], [0.0, 0.0]])
    assert first[1] is None
    assert [first[0], first[2]] == pytest.approx([3 / root, -1 / root], rel=1e-5)
    # A group of equal rewards has an advantage here: its baseline is the batch.
    assert second == pytest.approx([-1 / root, -1 / root], rel=1e-5)


def test_groups_do_not_see_each_other_unless_asked_to() -> None:
    rewards = [[1.0, 0.0], [5.0, 5.0], [None, 3.0]]
    by_group = advantages(rewards, kind="mean")
    assert by_group == [[0.5, -0.5], [0.0, 0.0], [None, None]]
    assert advantages(rewards, kind="batch_mean_std") == batch_mean_std(rewards)
