"""Verdicts on whole completions, with the real checkers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from configs.rewards import CodeSettings, SandboxSettings
from recipes.benchmarks.scoring import Judge, Verdict, language_consistency, vote_key
from recipes.benchmarks.table import BENCHMARKS, Kind
from rl.records import Outcome, Prompt
from tests.unit.recipes.benchmarks.test_rows import CALLED, ROWS, item

INSTRUCTIONS = json.dumps(
    [
        {"name": "punctuation:no_comma", "arguments": {}},
        {
            "name": "length_constraints:number_words",
            "arguments": {"num_words": 4, "relation": "less than"},
        },
    ]
)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(CodeSettings(sandbox=SandboxSettings(workers=1)), programs=True) as judge:
        yield judge


def verdict(judge: Judge, kind: Kind, answer: str, text: str, prompt: str = "?") -> Verdict:
    (found,) = judge.judge_all(kind, [(Prompt("p", prompt, (), answer), text)])
    return found


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
    judge: Judge, text: str, outcome: Outcome, extracted: str | None
) -> None:
    assert verdict(judge, "math", "7", text) == Verdict(outcome, extracted)


def test_a_prompt_that_opens_the_thinking_counts(judge: Judge) -> None:
    assert verdict(judge, "math", "7", "\\boxed{7}", "3+4=?<think>\n").outcome is Outcome.NO_ANSWER
    assert (
        verdict(judge, "math", "7", "so</think>\\boxed{7}", "3+4=?<think>").outcome
        is Outcome.CORRECT
    )


@pytest.mark.parametrize(
    ("text", "outcome", "extracted"),
    [
        ("<think>Answer: A?</think>Because.\nAnswer: B", Outcome.CORRECT, "B"),
        ("<think>Answer: B</think>Answer: A", Outcome.WRONG, "A"),
        ("<think>Answer: B</think>It is blue.", Outcome.NO_ANSWER, None),
    ],
)
def test_letters_are_read_from_the_summary(
    judge: Judge, text: str, outcome: Outcome, extracted: str | None
) -> None:
    assert verdict(judge, "choice", "B", text) == Verdict(outcome, extracted)


def test_instructions_hold_for_the_summary_and_all_together(judge: Judge) -> None:
    names = ("punctuation:no_comma", "length_constraints:number_words")
    good = verdict(
        judge, "instructions", INSTRUCTIONS, "<think>well, yes, and no</think>All is fine."
    )
    assert good == Verdict(Outcome.CORRECT, instructions=((names[0], True), (names[1], True)))
    bad = verdict(judge, "instructions", INSTRUCTIONS, "All is, as ever, fine")
    assert bad == Verdict(Outcome.WRONG, instructions=((names[0], False), (names[1], False)))
    half = verdict(judge, "instructions", INSTRUCTIONS, "Fine, thanks.")
    assert half == Verdict(Outcome.WRONG, instructions=((names[0], False), (names[1], True)))
    cut = verdict(judge, "instructions", INSTRUCTIONS, "<think>cut")
    assert cut == Verdict(Outcome.NO_ANSWER, instructions=((names[0], False), (names[1], False)))


SOLUTIONS = [
    ("codeforces", {}, "print(sum(map(int, input().split())))", "print(4)"),
    ("livecodebench", {}, "print(sum(map(int, input().split())))", "print(input())"),
    (
        "livecodebench",
        CALLED,
        "class Solution:\n    def add(self, a: List[int], b: str) -> List[bool]:\n"
        "        return [len(a) == 2]",
        "class Solution:\n    def add(self, a, b):\n        return [False]",
    ),
    (
        "humaneval",
        {},
        "def double(n):\n    return math.prod((2, n))",
        "def double(n):\n    return n",
    ),
    ("mbpp", {}, ROWS["mbpp"]["code"], "def halve(n):\n    return n"),
]


@pytest.mark.parametrize(
    ("name", "changes", "right", "wrong"), SOLUTIONS, ids=[each[0] for each in SOLUTIONS]
)
def test_programs_run_against_the_tests(
    judge: Judge, name: str, changes: dict[str, str], right: str, wrong: str
) -> None:
    answer = item(name, **changes).answer

    def outcome(code: str) -> Outcome:
        text = f"<think>```python\nthinking\n```</think>Here:\n```python\n{code}\n```\nDone."
        return verdict(judge, "program", answer, text).outcome

    assert outcome(right) is Outcome.CORRECT
    assert outcome(wrong) is Outcome.WRONG
    assert outcome("1 +") in (Outcome.COMPILE_ERROR, Outcome.RUNTIME_ERROR)


def test_programs_without_code_and_without_usable_tests(judge: Judge) -> None:
    answer = item("codeforces").answer
    thinking = "<think>```python\nprint(3)\n```</think>print(3)"
    assert verdict(judge, "program", answer, thinking).outcome is Outcome.NO_ANSWER
    text = "```python\nprint(3)\n```"
    assert verdict(judge, "program", answer, text).outcome is Outcome.CORRECT
    broken = json.dumps({"tests": []})
    assert verdict(judge, "program", broken, text).outcome is Outcome.UNPARSEABLE_GOLD


def test_language_consistency_is_that_of_the_thinking() -> None:
    english = "<think>" + "we take the first number and add the other one to it. " * 2 + "</think>"
    prompt = Prompt("p", "?", (), "7")
    assert language_consistency(BENCHMARKS["gsm8k"], prompt, english + "答案是七") == 1.0
    assert language_consistency(BENCHMARKS["c_eval"], prompt, english + "答案是七") == 0.0
    assert language_consistency(BENCHMARKS["gsm8k"], prompt, "<think>7</think>7") is None
    chinese = Prompt("p", "?", (), "7", {"language": "zh"})
    assert language_consistency(BENCHMARKS["nano"], chinese, english) == 0.0


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        ("math", "0.50", "1/2", True),
        ("math", "1,000", "1000", True),
        ("math", "$x + 1$", "x+1", True),
        ("math", "\\dfrac{x}{2}", "\\frac{x}{2}", True),
        ("math", "\\frac{1}{2}", "0.5", True),
        ("math", "7", "8", False),
        ("math", "x", "X", False),
        ("choice", "A", "B", False),
    ],
)
def test_votes(kind: Kind, one: str, other: str, same: bool) -> None:
    assert (vote_key(kind, one) == vote_key(kind, other)) == same
