"""Rewards that a model gives: what such a model is, and what of a response it may see.

R1 trains a helpfulness model on pairs and shows it the final summary only, so that it does not
meddle with the reasoning; the safety model sees the whole response, reasoning and summary
(arXiv 2501.12948v2, section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rewards.format import ANSWER, END_ANSWER, THINK, scan_tags, strip_end_tokens
from rewards.summary import summary_of
from rl.records import Group, Score

SETS = ("helpfulness", "safety")
SET = "preference_set"
"""Key of Prompt.metadata that only general prompts have: helpfulness or safety, whose model rates
the responses. QUESTION is what the user says, outside any chat template."""
QUESTION = "question"


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


def with_preferences(
    groups: Sequence[Group], helpful: HelpfulnessModel, safety: SafetyModel, weight: float
) -> list[Group]:
    """The groups, with weight x the reward model's value added to the reward of the responses to
    general prompts (arXiv 2501.12948v2, eq. 10); each is rated by the model of its own set. Others
    stay as they are. A response that offers no summary is worth the least that any can be, 0."""
    rated = [group for group in groups if SET in group.prompt.metadata]
    by_set = {name: [g for g in rated if g.prompt.metadata[SET] == name] for name in SETS}
    assert sum(map(len, by_set.values())) == len(rated), "a general prompt of an unknown set"
    exchanges = {name: [e for g in by_set[name] for e in _exchanges(g)] for name in SETS}
    values = {
        "helpfulness": iter(helpfulness_rewards(helpful, exchanges["helpfulness"])),
        "safety": iter(safety_rewards(safety, exchanges["safety"])),
    }
    return [
        _with_values(group, values[group.prompt.metadata[SET]], weight)
        if SET in group.prompt.metadata
        else group
        for group in groups
    ]


def _exchanges(group: Group) -> list[Exchange]:
    question = group.prompt.metadata[QUESTION]
    return [Exchange(question, completion.text) for completion in group.completions]


def _with_values(group: Group, values: Iterator[float | None], weight: float) -> Group:
    name = group.prompt.metadata[SET]
    scores: list[Score] = []
    for score in group.scores:
        value = next(values) or 0.0
        assert score.reward is not None and "accuracy" not in score.parts
        parts = {**score.parts, "preference": value, f"preference_{name}": value}
        scores.append(replace(score, reward=score.reward + weight * value, parts=parts))
    return replace(group, scores=tuple(scores))


def _checked(values: Sequence[float], count: int) -> tuple[float, ...]:
    """A reward of nan would turn the whole group's advantages into nan, without a word."""
    if len(values) != count:
        raise ValueError(f"the reward model returned {len(values)} values for {count} responses")
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise ValueError(f"the reward model returned {value} for response {index} of {count}")
    return tuple(float(value) for value in values)
