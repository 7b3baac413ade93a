"""Letters of multiple-choice answers, as models write them."""

from __future__ import annotations

import time

import pytest

from rewards.choices import chosen_letter


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("It adds up.\nAnswer: C", "C"),
        ("**Answer: B**", "B"),
        ("**Answer:** (D)", "D"),
        ("Answer: $A", "A"),
        ("answer: B) blue", "B"),
        ("Answer: B because it is blue", "B"),
        ("The answer is (J).", "J"),
        ("The answer is E", "E"),
        ('{"reasoning": "it is so", "answer": "C"}', "C"),
        ("答案：B", "B"),
        ("所以答案是D。", "D"),
        ("\\boxed{A}", "A"),
        ("so $\\boxed{\\text{C}}$ it is", "C"),
        ("\\boxed{(B)}", "B"),
        ("\\boxed{D. both}", "D"),
        ("Answer: A\nNo, wait.\nAnswer: B", "B"),
        ("Answer: $\\boxed{B}$", "B"),
        ("The answer is: B", "B"),
        ("**The answer is:** (J)", "J"),
        ("The correct answer is option B.", "B"),
        ("Answer: Option (C)", "C"),
        ("正确答案是：选项 C", "C"),
        ("Answer: \\text{B}", "B"),
        ("The answer is $\\mathrm{(D)}$.", "D"),
        ("Answer: I", "I"),
        ("Answer: I.", "I"),
        ("\\boxed{C}, and any other answer: A, B are wrong", "C"),
        ("It costs \\boxed{42}, hence\nAnswer: D", "D"),
    ],
)
def test_letter(text: str, letter: str) -> None:
    assert chosen_letter(text) == letter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "C",
        "I think it is blue.",
        "The answer is A common mistake here",
        "Answer: Blue",
        "Answer: I think C",
        "Answer: I'm not sure",
        "The answer is option A common mistake here",
        "Answer: AB",
        "Answer: 42",
        "answer: b",
        "\\boxed{42}",
        "\\boxed{Apple}",
        "\\boxed{A dog}",
    ],
)
def test_no_letter(text: str) -> None:
    assert chosen_letter(text) is None


def test_hostile_text_takes_linear_time() -> None:
    began = time.perf_counter()
    for text in (
        "answer" * 50_000,
        "answer: " + "*" * 300_000,
        "answer is" + " (" * 150_000,
        "answer is: option " * 20_000,
    ):
        chosen_letter(text)
    assert time.perf_counter() - began < 5.0
