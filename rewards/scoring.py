"""From a completion to its score: the weighted sum of accuracy and format, with both by name."""

from __future__ import annotations

from functools import cache

from configs.schema import RewardSettings
from rewards.format import THINK, format_reward, opens_thinking
from rewards.math import MathChecker
from rl.records import FinishReason, Outcome, Score


def score(
    prompt_text: str,
    completion_text: str,
    gold: str,
    finish_reason: FinishReason,
    settings: RewardSettings,
) -> Score:
    """R1-Zero's rule-based reward: Reward_acc + Reward_format (arXiv 2501.12948v2, eq. 4).

    completion_text is free of end-of-text tokens. A gold answer that cannot be
    read gives no reward at all, so that the data set's fault is not held against the policy; nor
    does a checker that could not run.
    """
    opened = THINK if opens_thinking(prompt_text) else ""
    outcome = _math_checker().check(opened + completion_text, gold).outcome
    parts = {
        "accuracy": float(outcome is Outcome.CORRECT),
        "format": format_reward(prompt_text, completion_text, finish_reason),
    }
    if outcome in (Outcome.UNPARSEABLE_GOLD, Outcome.CHECKER_ERROR):
        return Score(reward=None, outcome=outcome, parts=parts)
    reward = settings.accuracy * parts["accuracy"] + settings.format * parts["format"]
    return Score(reward=reward, outcome=outcome, parts=parts)


@cache
def _math_checker() -> MathChecker:
    """One per process."""
    return MathChecker()
