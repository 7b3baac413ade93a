"""From a completion to its score: the weighted sum of accuracy and format, with both by name."""

from __future__ import annotations

from configs.schema import RewardSettings
from rewards.accuracy import accuracy_outcome
from rewards.format import THINK, format_reward, opens_thinking
from rl.records import FinishReason, Outcome, Score


def score(
    prompt_text: str,
    completion_text: str,
    gold: str,
    finish_reason: FinishReason,
    settings: RewardSettings,
) -> Score:
    """R1-Zero's rule-based reward: Reward_acc + Reward_format (arXiv 2501.12948v2, eq. 4).

    A pure function. completion_text is free of end-of-text tokens. A gold answer that cannot be
    read gives no reward at all, so that the data set's fault is not held against the policy.
    """
    opened = THINK if opens_thinking(prompt_text) else ""
    outcome = accuracy_outcome(opened + completion_text, gold)
    parts = {
        "accuracy": float(outcome is Outcome.CORRECT),
        "format": format_reward(prompt_text, completion_text, finish_reason),
    }
    if outcome is Outcome.UNPARSEABLE_GOLD:
        return Score(reward=None, outcome=outcome, parts=parts)
    reward = settings.accuracy * parts["accuracy"] + settings.format * parts["format"]
    return Score(reward=reward, outcome=outcome, parts=parts)
