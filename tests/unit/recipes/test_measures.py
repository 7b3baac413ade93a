"""Estimators against enumeration and closed forms, intervals against simulation."""

from __future__ import annotations

import itertools
import random

import pytest

from recipes.measures import (
    Answer,
    ks,
    majority_correct,
    measure,
    pass_at_k,
    rate_with_interval,
)
from rl.records import Outcome


def answer(vote: str | None, gold: str = "7", **other: object) -> Answer:
    outcome = Outcome.NO_ANSWER if vote is None else Outcome.WRONG
    if vote == gold:
        outcome = Outcome.CORRECT
    return Answer(outcome, vote, **({"tokens": 10, "finish_reason": "stop"} | other))


def votes(*given: str | None) -> list[Answer]:
    return [answer(vote) for vote in given]


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_equals_the_enumeration_of_all_subsets(n: int) -> None:
    for c, k in itertools.product(range(n + 1), range(1, n + 1)):
        samples = [True] * c + [False] * (n - c)
        subsets = list(itertools.combinations(samples, k))
        expected = sum(any(subset) for subset in subsets) / len(subsets)
        assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-12)


def test_pass_at_1_is_the_mean_and_pass_at_n_is_any() -> None:
    assert pass_at_k(64, 16, 1) == pytest.approx(0.25)
    assert pass_at_k(64, 1, 64) == 1.0
    assert pass_at_k(64, 0, 64) == 0.0


def test_the_plug_in_estimate_is_biased_and_the_one_used_is_not() -> None:
    """Over binomial counts, the mean of the estimator is the true 1 - (1 - p)^k."""
    n, k, p = 8, 4, 0.2
    weights = [
        len(list(itertools.combinations(range(n), c))) * p**c * (1 - p) ** (n - c)
        for c in range(n + 1)
    ]
    truth = 1 - (1 - p) ** k
    unbiased = sum(w * pass_at_k(n, c, k) for c, w in enumerate(weights))
    plug_in = sum(w * (1 - (1 - c / n) ** k) for c, w in enumerate(weights))
    assert unbiased == pytest.approx(truth, abs=1e-12)
    assert plug_in < truth - 0.02


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (votes("7", "7", "8"), 1.0),
        (votes("7", "8", "8"), 0.0),
        (votes("7", "8"), 0.5),
        (votes("7", "8", "9"), 1 / 3),
        (votes("8", "9"), 0.0),
        (votes("7", None, None, None), 1.0),
        (votes(None, None), 0.0),
        (votes("8", "8", "7", "7", None), 0.5),
    ],
)
def test_majority_vote_and_its_ties(given: list[Answer], expected: float) -> None:
    assert majority_correct(given) == pytest.approx(expected)
    assert majority_correct(given[::-1]) == pytest.approx(expected)


def test_a_check_that_ran_out_of_time_does_not_make_the_same_answer_wrong() -> None:
    late = Answer(Outcome.TIMEOUT, "7", tokens=1, finish_reason="stop")
    assert majority_correct([late, *votes("7", "8")]) == 1.0


def test_ks() -> None:
    assert [ks(1), ks(4), ks(12), ks(64)] == [
        [1],
        [1, 2, 4],
        [1, 2, 4, 8, 12],
        [1, 2, 4, 8, 16, 32, 64],
    ]


def test_all_measures_of_a_small_evaluation() -> None:
    answers = [
        [answer("7"), answer("7", tokens=30), answer("8"), answer(None, finish_reason="length")],
        [answer("8"), answer("8"), answer("9"), answer("7")],
    ]
    found = measure(answers, votes=True)
    assert (found.problems, found.samples_per_problem) == (2, 4)
    assert {k: rate.value for k, rate in found.pass_at.items()} == {
        1: pytest.approx((0.5 + 0.25) / 2),
        2: pytest.approx((1 - 1 / 6 + 1 - 3 / 6) / 2),
        4: 1.0,
    }
    assert found.cons is not None and found.cons.value == 0.5
    assert found.mean_tokens == pytest.approx(100 / 8)
    assert found.truncated == 1 / 8
    assert found.outcomes == {"correct": 3, "no_answer": 1, "wrong": 4}
    assert found.instruction_accuracy is None and found.language_consistency is None
    assert measure(answers, votes=False).cons is None
    assert measure([row[:1] for row in answers], votes=True).cons is None


def test_instruction_and_prompt_level_accuracy_differ() -> None:
    def followed(*parts: bool) -> Answer:
        outcome = Outcome.CORRECT if all(parts) else Outcome.WRONG
        return Answer(outcome, None, 1, "stop", instructions=parts)

    found = measure([[followed(True, True)], [followed(True, False, False)]], votes=False)
    assert found.pass_at[1].value == 0.5
    assert found.instruction_accuracy == pytest.approx(3 / 5)


def test_binary_outcomes_give_the_wilson_interval() -> None:
    """8 of 10: the textbook's 0.4902 to 0.9433."""
    rate = rate_with_interval([1.0] * 8 + [0.0] * 2, samples=1)
    assert (rate.low, rate.high) == (
        pytest.approx(0.4902, abs=2e-3),
        pytest.approx(0.9433, abs=2e-3),
    )


def test_agreement_of_few_problems_is_no_certainty() -> None:
    assert rate_with_interval([1.0] * 30, samples=64).low == pytest.approx(0.8865, abs=1e-3)
    assert rate_with_interval([0.0] * 30, samples=64).high == pytest.approx(0.1135, abs=1e-3)
    wide, narrow = rate_with_interval([0.5] * 4, 1), rate_with_interval([0.5] * 400, 1)
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_more_samples_of_equally_hard_problems_narrow_the_interval() -> None:
    """30 problems solved every other time: 16 samples each are worth nearly 480 binary problems."""
    rng = random.Random(0)
    values = [sum(rng.random() < 0.5 for _ in range(16)) / 16 for _ in range(30)]
    rate = rate_with_interval(values, 16)
    assert 0.05 < rate.high - rate.low < 0.13
    binary = rate_with_interval([1.0] * 15 + [0.0] * 15, 1)
    assert binary.high - binary.low == pytest.approx(0.3373, abs=1e-3)


@pytest.mark.parametrize("difficulty", [(0.5, 0.5), (0.3, 2.0), (5.0, 5.0), (8.0, 0.4)])
@pytest.mark.parametrize(("m", "n"), [(30, 1), (30, 16), (198, 4)])
def test_the_interval_covers_the_truth(difficulty: tuple[float, float], m: int, n: int) -> None:
    """Problems drawn from a beta distribution of solve rates, n samples each: the interval must
    hold the distribution's mean in at least 92 % of 500 evaluations (nominal: 95 %)."""
    rng = random.Random(0)
    a, b = difficulty
    truth, inside = a / (a + b), 0
    for _ in range(500):
        values = []
        for _ in range(m):
            rate = rng.betavariate(a, b)
            values.append(sum(rng.random() < rate for _ in range(n)) / n)
        found = rate_with_interval(values, n)
        inside += found.low <= truth <= found.high
    assert 0.92 <= inside / 500 <= 0.995


def test_language_consistency_leaves_out_samples_with_too_few_words() -> None:
    row = [answer("7", language_share=share) for share in (1.0, 0.5, None)]
    assert measure([row], votes=True).language_consistency == 0.75
