"""Cold-start style in the nano world: its own words, the same working, an answer that is found."""

from __future__ import annotations

import random

import pytest

from recipes.nano_corpus import textbook_solution, wild_solution
from recipes.nano_rewriting import rewrite_nano
from recipes.nano_tokenizer import build_tokenizer
from recipes.nano_world import draw_problems
from recipes.trajectories import Dropped, Trajectory, take_apart
from rewards.math import MathChecker
from rl.records import Completion, Outcome, Prompt

TOKENIZER = build_tokenizer()
PROBLEMS = draw_problems(200, heldout=False, seed=3)


def trajectory(text: str, language: str = "en") -> Trajectory:
    about = {"question": "?", "language": language, "kind": "add"}
    found = take_apart(
        Prompt("p", "User:?", (), "85", about), Completion("p", 0, text, (), (), 0, "stop")
    )
    assert found is not None
    return found


def rewritten(text: str, language: str = "en") -> str:
    found = rewrite_nano(trajectory(text, language))
    return found.reason if isinstance(found, Dropped) else found.answer


def test_both_languages() -> None:
    english = "<think> ones 7+8=15 tens 4+3=7+1=8</think><answer>85</answer>"
    assert rewritten(english) == (
        "<think> let me check: ones 7+8=15 tens 4+3=7+1=8</think> the answer is 85"
    )
    chinese = "<think>大概个7+8=15十4+3=7+1=8</think><answer>85</answer>"
    assert rewritten(chinese, "zh") == "<think>我想想:个7+8=15十4+3=7+1=8</think>答案是85"


def test_guesses_are_dropped() -> None:
    found = rewrite_nano(trajectory("<think> guess</think><answer>85</answer>"))
    assert isinstance(found, Dropped)
    assert found.detail == "a guess without a working"


@pytest.mark.parametrize("wild", [False, True])
def test_known_words_and_a_right_answer(wild: bool) -> None:
    rng = random.Random(0)
    checked = 0
    with MathChecker() as checker:
        for problem in PROBLEMS:
            text = wild_solution(problem, rng) if wild else textbook_solution(problem)
            about = {"question": "?", "language": problem.language, "kind": problem.kind}
            prompt = Prompt("p", problem.prompt, (), problem.answer, about)
            found = take_apart(prompt, Completion("p", 0, text, (), (), 0, "stop"))
            if found is None:
                continue
            before = checker.check(text, problem.answer).outcome
            written = rewrite_nano(found)
            if before is not Outcome.CORRECT or isinstance(written, Dropped):
                continue
            checked += 1
            assert checker.check(written.answer, problem.answer).outcome is Outcome.CORRECT
            ids = TOKENIZER.encode(written.answer, add_special_tokens=False)
            assert TOKENIZER.unk_token_id not in ids
            assert TOKENIZER.decode(ids) == written.answer
    assert checked >= (30 if wild else len(PROBLEMS))
