"""Held-out evaluation: pass@1 as the mean accuracy of several samples per problem."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rl.records import Group, Outcome


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation found. Rates are means over all samples of all problems."""

    version: int
    """Policy updates in the evaluated weights."""
    problems: int
    samples_per_problem: int
    pass_at_1: float
    pass_at_1_margin: float
    """Half width of the 95 % confidence interval of pass_at_1, over problems."""
    format_rate: float
    mean_length: float
    """Tokens per completion."""
    truncated: float
    outcomes: Mapping[str, int]
    pass_at_1_by_kind: Mapping[str, float]
    length_bins: Sequence[tuple[int, int, int, float]]
    """(shortest, longest, completions, accuracy) for fourths of the completions by length."""


def evaluate(groups: Sequence[Group], version: int) -> Evaluation:
    """Summarise scored groups of held-out problems."""
    pairs = [
        (completion, score)
        for group in groups
        for completion, score in zip(group.completions, group.scores, strict=True)
    ]
    lengths = [len(completion.token_ids) for completion, _ in pairs]
    correct = [score.outcome is Outcome.CORRECT for _, score in pairs]
    rates = [_accuracy(group) for group in groups]
    kinds = sorted({group.prompt.metadata.get("kind", "all") for group in groups})
    outcomes = [score.outcome.value for _, score in pairs]
    return Evaluation(
        version=version,
        problems=len(groups),
        samples_per_problem=len(groups[0].completions),
        pass_at_1=statistics.fmean(rates),
        pass_at_1_margin=1.96 * statistics.stdev(rates) / len(rates) ** 0.5,
        format_rate=statistics.fmean(score.parts["format"] for _, score in pairs),
        mean_length=statistics.fmean(lengths),
        truncated=statistics.fmean(c.finish_reason == "length" for c, _ in pairs),
        outcomes={name: outcomes.count(name) for name in sorted(set(outcomes))},
        pass_at_1_by_kind={
            kind: statistics.fmean(
                _accuracy(g) for g in groups if g.prompt.metadata.get("kind", "all") == kind
            )
            for kind in kinds
        },
        length_bins=_length_bins(lengths, correct),
    )


def evaluation_metrics(evaluation: Evaluation) -> dict[str, float]:
    """For the trackers."""
    return {
        "eval/pass_at_1": evaluation.pass_at_1,
        "eval/format_rate": evaluation.format_rate,
        "eval/mean_length": evaluation.mean_length,
        "eval/truncated": evaluation.truncated,
    }


def _accuracy(group: Group) -> float:
    return statistics.fmean(score.outcome is Outcome.CORRECT for score in group.scores)


def _length_bins(
    lengths: Sequence[int], correct: Sequence[bool], bins: int = 4
) -> list[tuple[int, int, int, float]]:
    ordered = sorted(zip(lengths, correct, strict=True))
    edges = [round(i * len(ordered) / bins) for i in range(bins + 1)]
    parts = [ordered[start:end] for start, end in itertools.pairwise(edges)]
    return [
        (part[0][0], part[-1][0], len(part), statistics.fmean(right for _, right in part))
        for part in parts
        if part
    ]


def to_json(evaluation: Evaluation, groups: Sequence[Group]) -> str:
    """The evaluation with every sample, as JSON."""
    return json.dumps(
        {"summary": asdict(evaluation), "groups": [group_json(group) for group in groups]},
        ensure_ascii=False,
    )


def from_json(text: str) -> tuple[Evaluation, list[dict[str, Any]]]:
    """The summary, and the groups as group_json made them."""
    data = json.loads(text)
    summary = data["summary"]
    summary["length_bins"] = [tuple(entry) for entry in summary["length_bins"]]
    return Evaluation(**summary), data["groups"]


def group_json(group: Group) -> dict[str, Any]:
    """A group as plain data for reading: rollouts/, eval/ and the report."""
    return {
        "prompt_id": group.prompt.id,
        "prompt": group.prompt.text,
        "answer": group.prompt.answer,
        "completions": [
            {
                "text": completion.text,
                "tokens": len(completion.token_ids),
                "finish_reason": completion.finish_reason,
                "policy_version": completion.policy_version,
                "reward": score.reward,
                "outcome": score.outcome.value,
                "parts": dict(score.parts),
            }
            for completion, score in zip(group.completions, group.scores, strict=True)
        ],
    }
