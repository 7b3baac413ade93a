"""Sums of reasoning-gym as problems and as a cold start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from recipes.gym_sums import conversation, distinct, problem, think, write_sums
from rewards.format import format_reward
from rewards.math import MathChecker
from rl.records import Outcome


def item(expression: str, answer: str) -> dict[str, Any]:
    return {
        "question": f"State the final answer: {expression} =",
        "answer": answer,
        "metadata": {"expression": expression},
    }


@pytest.mark.parametrize(
    ("expression", "steps", "result"),
    [
        ("5 + 7", "First, 5 + 7 = 12.", 12),
        ("3 - 9 + 4", "First, 3 - 9 = -6. Then, -6 + 4 = -2.", -2),
        ("10 - 1 - 2 - 3", "First, 10 - 1 = 9. Then, 9 - 2 = 7. Then, 7 - 3 = 4.", 4),
    ],
)
def test_thinking_goes_from_left_to_right(expression: str, steps: str, result: int) -> None:
    thinking, found = think(expression)
    assert found == result
    assert thinking.endswith(f" {steps}")
    assert thinking.startswith("I work from left to right")


@pytest.mark.parametrize("works", [True, False])
def test_rows_earn_the_rewards_of_the_stage_that_follows(works: bool) -> None:
    answer = conversation(item("3 - 9 + 4", "-2"), works=works)["messages"][1]["content"]
    assert ("First, 3 - 9 = -6." in answer) is works
    assert format_reward("", answer, "stop", "think_tags") == 1.0
    with MathChecker() as checker:
        assert checker.check(answer, "-2").outcome is Outcome.CORRECT
        assert checker.check(answer, "2").outcome is Outcome.WRONG


def test_an_answer_that_is_not_the_sum_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        conversation(item("3 - 9", "6"), works=False)


def test_problems_have_the_form_of_gsm8k() -> None:
    assert problem(item("1 + 1", "2")) == {
        "question": "State the final answer: 1 + 1 =",
        "answer": "#### 2",
    }


def test_a_question_comes_once() -> None:
    items = [item("1 + 1", "2"), item("2 + 1", "3"), item("1 + 1", "2")]
    assert [each["answer"] for each in distinct(items)] == ["2", "3"]


def test_without_the_package_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recipes.gym_sums.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install reasoning-gym==0\.1\.25"):
        write_sums(tmp_path / "sums")
    assert not (tmp_path / "sums").exists()


def test_real_sums_are_in_one_file_only(tmp_path: Path) -> None:
    pytest.importorskip("reasoning_gym", reason="reasoning-gym is an extra")
    cold_start, problems = (
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in write_sums(tmp_path)
    )
    learnt = {row["messages"][0]["content"] for row in cold_start}
    asked = {row["question"] for row in problems}
    assert (len(learnt), len(asked)) == (len(cold_start), len(problems)) == (480, 2560)
    assert not learnt & asked
    assert not any(" - " in question for question in learnt | asked)
    worked = ["First, " in row["messages"][1]["content"] for row in cold_start]
    assert sum(worked) == len(cold_start) / 2
