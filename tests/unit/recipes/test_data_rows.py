"""What becomes of samples after they are scored: judged, rewritten, checked again, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from configs.data_making import RewriterSettings, SampledDataRecipe
from configs.rewards import RewardSettings
from recipes import trajectories as t
from recipes.data_rows import Finisher
from recipes.judging import read_verdict
from recipes.kept_replies import Unusable
from recipes.trajectories import Dropped, Trajectory
from rewards.scoring import Scorer
from rl.records import Completion, Group, Outcome, Prompt, Score

THINKING = "The first number is three and the second one is four. Together they are seven."
VERDICT = '{{"analysis": "the same \\frac{{1}}{{2}}", "correctness": "{}"}}'


class Scripted:
    """A text model that says what a function says; the questions are kept."""

    def __init__(self, answer: Callable[[str], str | Unusable]) -> None:
        self._answer = answer
        self.questions: list[str] = []

    def ask_all(self, questions: Sequence[str]) -> list[str | Unusable]:
        self.questions += questions
        return [self._answer(question) for question in questions]


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(RewardSettings()) as scorer:
        yield scorer


def group(
    *summaries: str, answer: str = "7", outcome: Outcome = Outcome.CORRECT, name: str = "p"
) -> Group:
    about = {"question": "What is 3+4?", "language": "en", "kind": "math"}
    return Group(
        Prompt(name, "User: What is 3+4? Assistant:", (1,), answer, about),
        tuple(
            Completion(
                name, i, f"<think>{THINKING}</think><answer>{s}</answer>", (1, 2), (), 0, "stop"
            )
            for i, s in enumerate(summaries)
        ),
        tuple(Score(2.0, outcome, {"format": 1.0}) for _ in summaries),
    )


def words(text: str) -> int:
    return len(text.split())


def reasons(samples: Sequence[Trajectory | Dropped]) -> Counter[str]:
    return Counter(s.reason if isinstance(s, Dropped) else "kept" for s in samples)


def endpoint(**settings: object) -> SampledDataRecipe:
    return SampledDataRecipe(rewriter=RewriterSettings(by="endpoint"), **settings)


def test_at_most_so_many_of_each_prompt(scorer: Scorer) -> None:
    finisher = Finisher(SampledDataRecipe(keep_per_prompt=2), scorer, words)
    samples = finisher.finish([group("7", "So 7", "It is 7"), group("7", name="q")])
    assert [s.name for s in samples if isinstance(s, Trajectory)] == ["p-0", "p-1", "q-0"]
    assert reasons(samples) == {"kept": 3, t.ENOUGH: 1}


def rewriter(thinking: str | Unusable, summary: str | Unusable) -> Scripted:
    return Scripted(lambda q: thinking if q.startswith("Rewrite") else summary)


def test_a_rewritten_row_has_both_parts_and_r1s_form(scorer: Scorer) -> None:
    model = rewriter("Let me see. I add three and four, and I get seven.", "The sum is \\boxed{7}.")
    (kept,) = Finisher(endpoint(), scorer, words, model).finish([group("7")])
    assert isinstance(kept, Trajectory)
    assert kept.answer == (
        "<think>\nLet me see. I add three and four, and I get seven.\n</think>\n\n"
        "The sum is \\boxed{7}."
    )
    assert kept.tokens == words(kept.answer) == 18
    first, second = model.questions
    assert THINKING in first and "What is 3+4?" in first and "same language" in first
    # The summary is made of the rewritten thinking, in the form that the checker extracts.
    assert "Let me see. I add three and four" in second and "\\boxed{}" in second


@pytest.mark.parametrize(
    ("thinking", "summary", "reason", "detail"),
    [
        (THINKING, "The sum is \\boxed{8}.", t.REWRITTEN, "wrong"),
        (THINKING, "It is what it is and so on", t.REWRITTEN, "no_answer"),
        (Unusable("empty"), "\\boxed{7}", t.REWRITER, "thinking: empty"),
        (THINKING, Unusable("cut at the length cap"), t.REWRITER, "summary: cut at the"),
        ("a </think> b", "\\boxed{7}", t.REWRITER, "thinking: holds tags"),
        (THINKING, "<answer>7</answer>", t.REWRITER, "summary: holds tags"),
        ("我们先把三和四相加，得到七。", "\\boxed{7}", t.REWRITER, "mixed languages: 0.00 of the"),
    ],
)
def test_what_a_rewriter_spoils_is_dropped_and_counted(
    scorer: Scorer, thinking: str, summary: str, reason: str, detail: str
) -> None:
    model = rewriter(thinking, summary)
    (dropped,) = Finisher(endpoint(), scorer, words, model).finish([group("7")])
    assert isinstance(dropped, Dropped)
    assert dropped.reason == reason and dropped.detail.startswith(detail)


def test_the_judge_sees_what_rules_cannot_check_and_nothing_else(scorer: Scorer) -> None:
    judge = Scripted(lambda q: VERDICT.format("correct" if "Paris" in q else "incorrect"))
    hard = group("It is Paris", "It is Rome", outcome=Outcome.UNPARSEABLE_GOLD, answer="Par1s")
    samples = Finisher(SampledDataRecipe(), scorer, words, judge=judge).finish(
        [group("7", name="q"), hard]
    )
    assert reasons(samples) == {"kept": 2, t.JUDGED: 1}
    assert len(judge.questions) == 2
    question = judge.questions[0]
    assert "What is 3+4?" in question and "Par1s" in question and "It is Paris" in question
    assert THINKING not in question
    # Without a judge they are dropped, and said to be unchecked.
    alone = Finisher(SampledDataRecipe(), scorer, words).finish([hard])
    assert reasons(alone) == {t.UNCHECKED: 2}


def test_a_judge_that_answers_nonsense_is_counted(scorer: Scorer) -> None:
    replies = iter(["I cannot say.", Unusable("empty"), VERDICT.format("correct")])
    judge = Scripted(lambda _: next(replies))
    hard = group("a b c", "d e f", "g h i", outcome=Outcome.UNPARSEABLE_GOLD)
    samples = Finisher(SampledDataRecipe(), scorer, words, judge=judge).finish([hard])
    assert reasons(samples) == {"kept": 1, t.JUDGE: 2}
    assert [s.detail for s in samples if isinstance(s, Dropped)] == ["I cannot say.", "empty"]


def test_verdicts() -> None:
    assert read_verdict(VERDICT.format("correct")) is True
    assert read_verdict("```json\n" + VERDICT.format("incorrect") + "\n```") is False
    assert read_verdict('{"correctness":"correct"} or {"correctness": "incorrect"}') is None
    assert read_verdict('{"correctness": "maybe"}') is None
    assert read_verdict("correct") is None
