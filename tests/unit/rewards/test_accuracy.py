import random
import time
from fractions import Fraction

import pytest

from rewards.accuracy import accuracy_outcome, extract_answer, last_boxed, read_number
from rl.records import Outcome


def answered(answer: str) -> str:
    return f"<think>working</think><answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("1000", "1,000"),
        ("1,000", "1000"),
        ("$18", "18"),
        (" 18. ", "18"),
        ("１８", "18"),
        ("\u22125", "-5"),
        ("+5", "5"),
        ("0.50", "1/2"),
        (".5", "0.5"),
        ("6/4", "3/2"),
        ("007", "7"),
        ("\\boxed{42}", "42"),
        ("so \\boxed{42}", "42"),
        ("12345678901234567890123", "12345678901234567890123"),
    ],
)
def test_equal_numbers(answer, gold):
    assert accuracy_outcome(answered(answer), gold) is Outcome.CORRECT


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("8", "7"),
        ("-7", "7"),
        ("7 or 8", "7"),
        ("7 8", "78"),
        ("7\n8", "78"),
        ("1,00", "100"),
        ("1,0000", "10000"),
        ("3+4", "7"),
        ("x=7", "7"),
        ("7%", "7"),
        ("1/0", "1"),
        ("1e3", "1000"),
        ("0x7", "7"),
        ("٧ ٧", "77"),
        ("--7", "7"),
        ("__import__('os').getpid()", "7"),
        ("9**9**9", "7"),
        ("nan", "7"),
        ("12345678901234567890124", "12345678901234567890123"),
        ("0.333333333333333333", "1/3"),
        ("7" * 100_000, "7"),
    ],
)
def test_wrong_answers(answer, gold):
    assert accuracy_outcome(answered(answer), gold) is Outcome.WRONG


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "<answer>7</answer>",
        "<think>7",
        "<think>\\boxed{7}</think>",
        "<think><answer>7</answer></think>",
        "<think>a</think>7",
        "<think>a</think><answer></answer>",
        "<think>a</think><answer> </answer>",
        "<think>a</think><answer>7",
        "<think>a</think>7</answer>",
        "<think>a</think></answer>7<answer>",
        "<think>a</think><answer>7</answer></think>",
        "<think>a</think><answer>7<think>b</answer>",
        # Several answers are none, even when all agree.
        "<think>a</think><answer>7</answer><answer>8</answer>",
        "<think>a</think><answer><answer>7</answer></answer>",
        "<think>a</think><answer>8</answer>\\boxed{7}<answer>7</answer>",
        "<think>a</think>\\boxed{7",
        "<think>a</think>\\boxed7}",
    ],
)
def test_no_answer(text):
    assert accuracy_outcome(text, "7") is Outcome.NO_ANSWER


def test_the_last_closing_tag_ends_the_thinking():
    text = "<think>a</think><answer>8</answer></think><answer>7</answer>"
    assert extract_answer(text) == "7"


def test_an_answer_block_goes_before_a_box():
    assert extract_answer("<think>a</think>\\boxed{8}<answer>7</answer>") == "7"
    assert extract_answer("<think>a</think>The answer is \\boxed{8}.") == "8"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("\\boxed{1} and \\boxed{2}", "2"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("\\boxed{1} \\boxed{2", "1"),
        ("\\boxed{1} }", "1"),
        ("\\boxed{}", ""),
        ("boxed{1}", None),
        ("{1}", None),
        ("}{", None),
    ],
)
def test_last_boxed(text, content):
    assert last_boxed(text) == content


@pytest.mark.parametrize("gold", ["", "seven", "1/0", "3 4", "x" * 2000])
def test_unreadable_gold(gold):
    assert accuracy_outcome(answered("7"), gold) is Outcome.UNPARSEABLE_GOLD
    assert accuracy_outcome("no answer at all", gold) is Outcome.UNPARSEABLE_GOLD


def test_reading_writes_back():
    rng = random.Random(0)
    for _ in range(500):
        value = rng.randrange(-(10**12), 10**12)
        assert read_number(f"{value:,}") == read_number(str(value)) == value
        denominator = rng.randrange(1, 1000)
        assert read_number(f"{value}/{denominator}") == Fraction(value, denominator)
        assert read_number(f"{value / 8:.3f}") == Fraction(value, 8)


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 100_000,
        "{" * 100_000 + "}" * 100_000,
        "}" * 200_000,
        "<answer>" * 100_000,
        "</think>" * 100_000,
        "<answer>" + "1," * 100_000,
        "<answer>" + "1" * 1_000_000 + "</answer>",
        "<answer>" + "9/" * 499 + "9</answer>",
    ],
)
def test_hostile_texts_take_linear_time(text):
    start = time.process_time()
    assert accuracy_outcome("<think>a</think>" + text, "7") is not Outcome.CORRECT
    assert time.process_time() - start < 1.0
