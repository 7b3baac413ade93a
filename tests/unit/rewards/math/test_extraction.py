import time

import pytest

from rewards.math import MathChecker
from rewards.math.extraction import box_run, from_answer, from_completion
from rl.records import Outcome


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("<think>a</think><answer>7</answer>", "7"),
        ("<think>a</think><answer>\\boxed{7}</answer>", "7"),
        ("<think>a</think><answer>so \\boxed{7}</answer>", "7"),
        ("<think>a</think>It is \\boxed{7}.", "7"),
        ("<think>a</think>\\boxed{8} no, \\boxed{7}", "7"),
        ("<think>a</think>\\boxed{8}<answer>7</answer>", "7"),
        ("<think>a</think>\\boxed{\\boxed{7}}", "7"),
        ("<think>a</think>\\boxed{7} \\boxed{8", "7"),
        ("<think>a</think>\\boxed {\\frac{1}{2}}", "\\frac{1}{2}"),
        ("<think>\\boxed{8}</think>\\boxed{7}", "7"),
        ("<think>a</think><answer>8</answer></think><answer>7</answer>", "7"),
        ("a</think>\\boxed{7}", "7"),
        ("<think>a</think>The answer is 7.", "7"),
        ("<think>a</think>**Answer:** 7", "7"),
        ("<think>a</think>答案是7。", "7。"),
        ("<think>a</think>3+4=7\n#### 7", "7"),
        ("<think>a</think>$\\boxed{7}$ percent", "7\\%"),
    ],
)
def test_completions(completion: str, answer: str) -> None:
    assert from_completion(completion) == answer


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "7",
        "\\boxed{7}",
        "<answer>7</answer>",
        "<think>7",
        "<think>\\boxed{7}</think>",
        "<think>\\boxed{7}</think>I am done.",
        "<think><answer>7</answer></think>",
        "<think>The answer is 7.</think>",
        "<think>a</think>7",
        "<think>a</think><answer></answer>",
        "<think>a</think><answer> </answer>",
        "<think>a</think><answer>7",
        "<think>a</think>7</answer>",
        "<think>a</think></answer>7<answer>",
        "<think>a</think><answer>7</answer></think>",
        "<think>a</think><answer>7<think>b</answer>",
        # Several answer blocks are none, even when all agree.
        "<think>a</think><answer>7</answer><answer>8</answer>",
        "<think>a</think><answer>7</answer><answer>7</answer>",
        "<think>a</think><answer><answer>7</answer></answer>",
        "<think>a</think><answer>8</answer>\\boxed{7}<answer>7</answer>",
        "<think>a</think>\\boxed{7",
        "<think>a</think>\\boxed{}",
        "<think>a</think>\\boxed7}",
    ],
)
def test_no_answer(checker: MathChecker, completion: str) -> None:
    assert checker.check(completion, "7").outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("7", "7"),
        ("  \\frac{1}{2} ", "\\frac{1}{2}"),
        ("x+1 = 8, so $x = 7$.", "x = 7"),
        ("Therefore $x \\geq 5$ is the solution.", "x \\geq 5"),
        ("Final Answer: The final answer is $28 \\%$. I hope it is correct.", "28 \\%"),
        ("The probability that she wins is 2/3. <|im_end|>user", "2/3"),
        ("$21,16$ or $11$", "21,16 , 11"),
        ("$125$ miles", "125 miles"),
        ("\\boxed{1} and \\boxed{-2}", "1,-2"),
        ("\\boxed{1} papers and \\boxed{2} bins", "1,2"),
        ("\\boxed{1} no no no no no \\boxed{2}", "2"),
        ("\\boxed{840}. Let me repeat: \\boxed{840}", "840"),
        ("The answer is 7 or 8", "7 or 8"),
    ],
)
def test_bare_answers(text: str, answer: str) -> None:
    assert from_answer(text) == answer


def test_boxes_of_one_answer_count_together_where_the_gold_answer_has_several(
    checker: MathChecker,
) -> None:
    completion = "<think>a</think>$\\boxed{k = 45}$ and $\\boxed{n = 2}$"
    assert checker.check(completion, "k = 45, n = 2").outcome is Outcome.CORRECT
    assert checker.check(completion, "k = 45, n = 3").outcome is Outcome.WRONG
    guesses = "<think>a</think>\\boxed{4}, \\boxed{5}"
    assert checker.check(guesses, "5").outcome is Outcome.CORRECT, "the last box is the answer"
    assert checker.check(guesses, "4").outcome is Outcome.WRONG


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("\\boxed{1} \\boxed{2}", "1,2"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("\\boxed{1} \\boxed{2", "1"),
        ("\\boxed{1} }", "1"),
        ("boxed{1}", None),
        ("{1}", None),
        ("}{", None),
    ],
)
def test_box_run(text: str, content: str | None) -> None:
    assert box_run(text) == content


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 100_000,
        "\\boxed{1}" * 20_000,
        "{" * 100_000 + "}" * 100_000,
        "}" * 200_000,
        "<answer>" * 100_000,
        "</think>" * 100_000,
        "<answer>" + "1," * 100_000,
        "<answer>" + "1" * 1_000_000 + "</answer>",
        "$" * 200_001,
        "\\(" * 100_000,
        "answer is " * 50_000,
        "the answer " * 50_000,
        "is 1 " * 100_000,
        " " * 500_000,
        "a" * 500_000,
        "<|im" * 100_000,
    ],
)
def test_hostile_texts_take_linear_time(checker: MathChecker, text: str) -> None:
    start = time.process_time()
    for is_answer in (False, True):
        outcome = checker.check("<think>a</think>" + text, "7", is_answer=is_answer).outcome
        assert outcome is not Outcome.CORRECT
        checker.check(text, "7", is_answer=is_answer)
    # About a second; twice that where the garbage collector of a long test run looks in. Quadratic
    # work on half a million characters would take many minutes.
    assert time.process_time() - start < 20.0
