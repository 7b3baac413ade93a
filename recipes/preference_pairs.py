"""From two responses to a pair: a judge says which is better, and doubtful pairs are left out.

As in R1 (arXiv 2501.12948v2, 3.1): several queries per pair with the responses in either order, the
verdicts averaged, pairs kept above a margin, chosen and rejected about equally long over all data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Preference:
    """A pair, or a labelled response, as text.

    Preference("row-3", "What is DNA?", ("A molecule.", "No idea."), label=True)
    """

    name: str
    question: str
    responses: tuple[str, ...]
    """What the reward model is to see: (chosen, rejected) or one."""
    label: bool = True
    """Of a single response: whether it is safe."""
    row: int = 0
    """Number of its line, from 1; 0: of no file."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Two responses that nobody has compared yet."""

    name: str
    question: str
    responses: tuple[str, str]
    row: int = 0
    """As of a Preference."""


class Judge(Protocol):
    """Compares two responses to a question."""

    def verdict(self, question: str, first: str, second: str, query: int) -> float | None:
        """2: first is much better, 1: slightly, 0: a tie, down to -2; None: no usable verdict.
        query: the number of the question about this pair, from 0."""
        ...


@dataclass(frozen=True, slots=True)
class JudgeRules:
    """How verdicts become a pair (configs.reward_models.PairJudgeSettings)."""

    queries: int
    margin: float


def judged(candidates: Candidates, judge: Judge, rules: JudgeRules) -> Preference | str:
    """The pair, or why there is none.

    Odd queries show the second response first, so that what a judge thinks of places cancels out.
    """
    a, b = candidates.responses
    verdicts: list[float] = []
    for query in range(rules.queries):
        shown = order_shown(candidates.responses, query)
        verdict = judge.verdict(candidates.question, *shown, query)
        if verdict is None:
            # An answer in one order alone would favour a place.
            return "the judge's answer has no verdict"
        verdicts.append(verdict if query % 2 == 0 else -verdict)
    difference = fmean(verdicts)
    if abs(difference) <= rules.margin:
        return "the judge sees too little difference"
    chosen, rejected = (a, b) if difference > 0 else (b, a)
    return Preference(candidates.name, candidates.question, (chosen, rejected), row=candidates.row)


def order_shown(responses: tuple[str, str], query: int) -> tuple[str, str]:
    """The two as a judge sees them: the other way round in odd queries."""
    first, second = responses
    return (second, first) if query % 2 else (first, second)


def balanced_lengths(pairs: Sequence[Preference]) -> list[Preference]:
    """The pairs without as few as possible of the most one-sided ones, so that the total length of
    the chosen responses is that of the rejected ones, up to the difference of one pair: nothing can
    be learnt from length alone."""
    excess = [len(pair.responses[0]) - len(pair.responses[1]) for pair in pairs]
    total = sum(excess)
    sign = 1 if total > 0 else -1
    dropped: set[int] = set()
    for index in sorted(range(len(pairs)), key=lambda i: (-sign * excess[i], i)):
        # Dropping a pair must bring the total nearer to 0.
        if abs(total - excess[index]) >= abs(total):
            break
        total -= excess[index]
        dropped.add(index)
    return [pair for index, pair in enumerate(pairs) if index not in dropped]
