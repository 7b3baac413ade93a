"""Rewards that a model gives: what such a model is, and what of a response it may see.

R1 trains a helpfulness model on pairs and shows it the final summary only, so that it does not
meddle with the reasoning; the safety model sees the whole response, reasoning and summary
(arXiv 2501.12948v2, section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rewards.format import ANSWER, END_ANSWER, THINK, scan_tags, strip_end_tokens
from rewards.summary import summary_of


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and what the policy said to it, or as much of it as a model may see.

    Exchange(prompt="What is DNA?", response="<think>The user asks...</think>DNA is a molecule...")
    """

    prompt: str
    response: str


class HelpfulnessModel(Protocol):
    """Trained on pairs of summaries: only differences of its values for one prompt mean much."""

    def rate_summaries(self, exchanges: Sequence[Exchange]) -> Sequence[float]:
        """One value per exchange, higher for more helpful; each response is a final summary."""
        ...


class SafetyModel(Protocol):
    """Trained on single responses labelled safe or unsafe."""

    def rate_responses(self, exchanges: Sequence[Exchange]) -> Sequence[float]:
        """One value per exchange, higher for safer; each response is whole."""
        ...


def final_summary(response: str) -> str | None:
    """What a response offers its reader: the text after the last </think>, or the inside of the
    <answer> block when there is exactly one there; None when nothing is offered.

    final_summary("<think>3+4</think><answer>It is 7.</answer>") == "It is 7."
    final_summary("<think>3+4</think> It is 7.") == "It is 7."
    final_summary("<think>3+4") is None
    """
    summary = summary_of(THINK, strip_end_tokens(response))  # thinking must have ended
    if summary is None:
        return None
    tags = list(scan_tags(summary))
    if [tag.name for tag in tags] == [ANSWER, END_ANSWER]:
        summary = summary[tags[0].end : tags[1].start]
    return summary.strip() or None


def helpfulness_rewards(
    model: HelpfulnessModel, exchanges: Sequence[Exchange]
) -> tuple[float | None, ...]:
    """The model's value of each final summary, in order; None where there is no summary: nothing
    was rated, and what that is worth is for the recipe to say.

    Raises ValueError when the model returns another number of values, or one that is not finite.
    """
    summaries = [final_summary(exchange.response) for exchange in exchanges]
    shown = [
        Exchange(exchange.prompt, summary)
        for exchange, summary in zip(exchanges, summaries, strict=True)
        if summary is not None
    ]
    values = iter(_checked(model.rate_summaries(shown), len(shown)) if shown else ())
    return tuple(None if summary is None else next(values) for summary in summaries)


def safety_rewards(model: SafetyModel, exchanges: Sequence[Exchange]) -> tuple[float, ...]:
    """The model's value of each whole response, in order.

    Raises ValueError when the model returns another number of values, or one that is not finite.
    """
    return _checked(model.rate_responses(exchanges), len(exchanges)) if exchanges else ()


def _checked(values: Sequence[float], count: int) -> tuple[float, ...]:
    """A reward of nan would turn the whole group's advantages into nan, without a word."""
    if len(values) != count:
        raise ValueError(f"the reward model returned {len(values)} values for {count} responses")
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise ValueError(f"the reward model returned {value} for response {index} of {count}")
    return tuple(float(value) for value in values)
