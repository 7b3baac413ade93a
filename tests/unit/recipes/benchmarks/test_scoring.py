"""Verdicts on whole completions."""

from __future__ import annotations

import json

import pytest

from recipes.benchmarks.scoring import Verdict, judge, vote_key
from recipes.benchmarks.table import Kind
from rl.records import Outcome, Prompt

INSTRUCTIONS = json.dumps(
    [
        {"name": "punctuation:no_comma", "arguments": {}},
        {
            "name": "length_constraints:number_words",
            "arguments": {"num_words": 4, "relation": "less than"},
        },
    ]
)


def verdict(kind: Kind, answer: str, text: str, prompt: str = "?") -> Verdict:
    return judge(kind, Prompt("p", prompt, (), answer), text)


@pytest.mark.parametrize(
    ("text", "outcome", "extracted"),
    [
        ("<think>3+4</think>It is \\boxed{7}.", Outcome.CORRECT, "7"),
        ("<think>3+4</think><answer>7.0</answer>", Outcome.CORRECT, "7.0"),
        ("<think>\\boxed{7}</think>It is \\boxed{8}.", Outcome.WRONG, "8"),
        ("<think>\\boxed{7}</think>I do not know.", Outcome.NO_ANSWER, None),
        ("<think>\\boxed{7}", Outcome.NO_ANSWER, None),
        ("It is \\boxed{7}.", Outcome.CORRECT, "7"),
    ],
)
def test_mathematics_is_read_from_the_summary(
    text: str, outcome: Outcome, extracted: str | None
) -> None:
    assert verdict("math", "7", text) == Verdict(outcome, extracted)


def test_a_prompt_that_opens_the_thinking_counts() -> None:
    assert verdict("math", "7", "\\boxed{7}", "3+4=?<think>\n").outcome is Outcome.NO_ANSWER
    assert verdict("math", "7", "so</think>\\boxed{7}", "3+4=?<think>").outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("text", "outcome", "extracted"),
    [
        ("<think>Answer: A?</think>Because.\nAnswer: B", Outcome.CORRECT, "B"),
        ("<think>Answer: B</think>Answer: A", Outcome.WRONG, "A"),
        ("<think>Answer: B</think>It is blue.", Outcome.NO_ANSWER, None),
    ],
)
def test_letters_are_read_from_the_summary(
    text: str, outcome: Outcome, extracted: str | None
) -> None:
    assert verdict("choice", "B", text) == Verdict(outcome, extracted)


def test_instructions_hold_for_the_summary_and_all_together() -> None:
    names = ("0 punctuation:no_comma", "1 length_constraints:number_words")
    good = verdict("instructions", INSTRUCTIONS, "<think>well, yes, and no</think>All is fine.")
    assert good == Verdict(Outcome.CORRECT, parts=dict.fromkeys(names, 1.0))
    bad = verdict("instructions", INSTRUCTIONS, "All is, as ever, fine")
    assert bad == Verdict(Outcome.WRONG, parts=dict.fromkeys(names, 0.0))
    half = verdict("instructions", INSTRUCTIONS, "Fine, thanks.")
    assert half == Verdict(Outcome.WRONG, parts={names[0]: 0.0, names[1]: 1.0})
    assert verdict("instructions", INSTRUCTIONS, "<think>cut").outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        ("math", "0.50", "1/2", True),
        ("math", "1,000", "1000", True),
        ("math", "$x + 1$", "x+1", True),
        ("math", "7", "8", False),
        ("math", "x", "X", False),
        ("choice", "A", "B", False),
    ],
)
def test_votes(kind: Kind, one: str, other: str, same: bool) -> None:
    assert (vote_key(kind, one) == vote_key(kind, other)) == same
