"""Rewards to advantages, over whole groups and before any batch is split.

A reward of None means that there was no verdict: the completion leaves the baseline, and its
advantage is None, which keeps it out of the loss as well.

Legend: G completions of one prompt, V those of them with a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

STD_GUARD = 1e-6
"""Added to the standard deviation, so that float noise between equal rewards stays noise."""


def mean_std(rewards_V: Sequence[float]) -> list[float]:
    """A = (r - mean) / (std + 1e-6), population std (ddof 0).

    DeepSeekMath (arXiv 2402.03300) section 4.1.2, R1 (2501.12948) eq. 3; neither gives the ddof
    or the guard.
    """
    centred_V = mean(rewards_V)
    std = fmean(value * value for value in centred_V) ** 0.5
    return [value / (std + STD_GUARD) for value in centred_V]


def mean(rewards_V: Sequence[float]) -> list[float]:
    """A = r - mean. Dr. GRPO (arXiv 2503.20783) section 3.2."""
    baseline = fmean(rewards_V)
    return [reward - baseline for reward in rewards_V]


def leave_one_out(rewards_V: Sequence[float]) -> list[float]:
    """A_i = r_i - mean of the others = V / (V - 1) * (r_i - mean). RLOO (arXiv 2402.14740)."""
    size = len(rewards_V)
    return [value * size / (size - 1) for value in mean(rewards_V)]


ADVANTAGES: dict[str, Callable[[Sequence[float]], list[float]]] = {
    "mean_std": mean_std,
    "mean": mean,
    "leave_one_out": leave_one_out,
}
"""Estimators that compare a completion with the others of its group."""


def group_advantages(rewards_G: Sequence[float | None], *, kind: str) -> list[float | None]:
    """Advantages of one group; all None when fewer than two completions have a verdict.

    group_advantages([1.0, None, 0.0], kind="mean") == [0.5, None, -0.5]
    """
    rewards_V = [reward for reward in rewards_G if reward is not None]
    if len(rewards_V) < 2:
        return [None] * len(rewards_G)
    # Exactly 0 for equal rewards: the mean of equal floats can differ from them in the last bit.
    equal = min(rewards_V) == max(rewards_V)
    advantages_V = iter([0.0] * len(rewards_V) if equal else ADVANTAGES[kind](rewards_V))
    return [None if reward is None else next(advantages_V) for reward in rewards_G]


def batch_mean_std(rewards: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    """A = (r - mean) / (std + 1e-6) over all completions of all groups of the step.

    REINFORCE++ (arXiv 2501.03262): no baseline per prompt, one normalisation over the batch.
    """
    flat = iter(
        group_advantages([reward for group in rewards for reward in group], kind="mean_std")
    )
    return [[next(flat) for _ in group] for group in rewards]


def advantages(rewards: Sequence[Sequence[float | None]], *, kind: str) -> list[list[float | None]]:
    """Advantages of all groups of a step; kind is a key of ADVANTAGES or "batch_mean_std"."""
    if kind == "batch_mean_std":
        return batch_mean_std(rewards)
    return [group_advantages(group, kind=kind) for group in rewards]
