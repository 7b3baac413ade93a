"""What an evaluation says: pass@k, cons@k, their confidence intervals, and lengths.

Symbols: m problems, n samples of each, c of them correct.

    pass@1  mean over problems of c / n
    pass@k  mean over problems of 1 - C(n - c, k) / C(n, k): unbiased for the chance that at least
            one of k samples is correct (Chen et al. 2021, arXiv 2107.03374, eq. 1)
    cons@n  mean over problems of the majority vote of all n samples being correct

Intervals cover 95 %. Each measure is a mean over problems of values in [0, 1], often from few
problems and near 0 or 1, where a bootstrap shrinks to nothing when all problems agree and the
normal interval leaves [0, 1]. Therefore: Wilson's interval with an effective number of problems
(Dean and Pagano 2015), the one at which binary outcomes would vary as much as the values do. With
n = 1 it is the ordinary Wilson interval; elsewhere Student's t pays for estimating the spread. No
random numbers are involved.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, sqrt

from rl.records import FinishReason, Outcome

Z = 1.959964
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is measured of one sample.

    Answer(Outcome.CORRECT, vote="7", tokens=120, finish_reason="stop")
    """

    outcome: Outcome
    vote: str | None
    """Equal for answers that count as one; None: takes no part in the vote."""
    tokens: int
    finish_reason: FinishReason
    instructions: tuple[bool, ...] = ()
    """Whether each instruction of IFEval was followed."""
    language_share: float | None = None
    """Of the thinking's words, those in the problem's language; None: too few words."""
    well_formed: bool | None = None
    """Whether it has the form of its prompt's template; None: that has none."""
    worth: float | None = None
    """Of an answer to an open request, 0 to 1, by the rule behind the preferences."""

    @property
    def correct(self) -> bool:
        return self.outcome is Outcome.CORRECT


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean over problems with its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measures:
    """All measures of one benchmark."""

    problems: int
    samples_per_problem: int
    pass_at: Mapping[int, Rate]
    """k -> pass@k for 1, the powers of two, and n."""
    cons: Rate | None
    """cons@n; None for benchmarks whose answers cannot be voted on, and for n = 1."""
    instruction_accuracy: float | None
    """IFEval: share of all instructions that were followed; pass@1 is the prompt-level accuracy."""
    language_consistency: float | None
    """Mean language share of the samples that have one."""
    format: float | None
    """Share of well-formed samples."""
    worth: float | None
    """Mean worth of the answers to open requests."""
    mean_tokens: float
    """Per completion, thinking included."""
    truncated: float
    """Share of completions cut at the length cap."""
    outcomes: Mapping[str, int]


def measure(answers: Sequence[Sequence[Answer]], *, votes: bool) -> Measures:
    """answers: [m][n], the same n for every problem. votes: whether the answers can be voted on."""
    n = len(answers[0])
    assert all(len(each) == n for each in answers), "problems with different numbers of samples"
    every = [answer for each in answers for answer in each]
    followed = [value for answer in every for value in answer.instructions]
    shares = [each.language_share for each in every if each.language_share is not None]
    formed = [each.well_formed for each in every if each.well_formed is not None]
    worths = [each.worth for each in every if each.worth is not None]
    outcomes = Counter(answer.outcome.value for answer in every)

    def rate(value: Callable[[Sequence[Answer]], float]) -> Rate:
        return rate_with_interval([value(each) for each in answers], samples=n)

    def correct(each: Sequence[Answer]) -> int:
        return sum(answer.correct for answer in each)

    return Measures(
        problems=len(answers),
        samples_per_problem=n,
        pass_at={k: rate(lambda each, k=k: pass_at_k(n, correct(each), k)) for k in ks(n)},
        cons=rate(majority_correct) if votes and n > 1 else None,
        instruction_accuracy=statistics.fmean(followed) if followed else None,
        language_consistency=statistics.fmean(shares) if shares else None,
        format=statistics.fmean(formed) if formed else None,
        worth=statistics.fmean(worths) if worths else None,
        mean_tokens=statistics.fmean(answer.tokens for answer in every),
        truncated=statistics.fmean(answer.finish_reason == "length" for answer in every),
        outcomes=dict(sorted(outcomes.items())),
    )


def ks(n: int) -> list[int]:
    """The k of pass@k that are reported: ks(12) == [1, 2, 4, 8, 12]."""
    return sorted({1 << i for i in range(n.bit_length())} | {n})


def pass_at_k(n: int, c: int, k: int) -> float:
    """The share of the C(n, k) ways to choose k of n samples in which at least one of the c
    correct ones is chosen."""
    assert 0 <= c <= n and 1 <= k <= n, (n, c, k)
    return 1.0 - comb(n - c, k) / comb(n, k)


def majority_correct(answers: Sequence[Answer]) -> float:
    """Whether the most frequent answer is correct: 1.0 or 0.0; with a tie, the share of the tied
    answers that are correct, which is what drawing lots among them gives on average. Without any
    answer 0.0. An answer is correct if any of its samples was found to be."""
    votes = Counter(answer.vote for answer in answers if answer.vote is not None)
    if not votes:
        return 0.0
    most = max(votes.values())
    tied = [vote for vote, count in votes.items() if count == most]
    correct = {answer.vote for answer in answers if answer.correct}
    return sum(vote in correct for vote in tied) / len(tied)


def _t_quantile(degrees: int) -> float:
    """97.5 % quantile of Student's t, by the expansion of Abramowitz and Stegun, 26.7.5: 2.045 for
    29 degrees of freedom."""
    first = (Z**3 + Z) / 4
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    return Z + first / degrees + second / degrees**2


def rate_with_interval(values: Sequence[float], samples: int) -> Rate:
    """The mean of values in [0, 1], one per problem, with Wilson's interval at the effective number
    of problems. samples: per problem; m problems are worth m to m x samples binary ones."""
    m, mean = len(values), statistics.fmean(values)
    spread = statistics.variance(values) if m > 1 else 0.0
    binary = mean * (1.0 - mean)
    # Values that happen to agree say nothing about their spread: as few problems as possible then.
    effective = binary * m / spread if spread > 0.0 else float(m)
    # The spread itself is an estimate from m problems.
    effective *= (Z / _t_quantile(m - 1)) ** 2 if m > 1 else 1.0
    effective = min(max(effective, m), m * samples)
    centre = (mean + Z * Z / (2 * effective)) / (1 + Z * Z / effective)
    half = Z / (1 + Z * Z / effective)
    half *= sqrt(binary / effective + Z * Z / (4 * effective * effective))
    return Rate(mean, max(0.0, centre - half), min(1.0, centre + half))
