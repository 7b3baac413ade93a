import itertools
import random
import re

import pytest

from recipes.nano_corpus import FORMATS, draw_document, textbook_solution, wild_solution
from recipes.nano_tokenizer import EOS
from recipes.nano_world import (
    KINDS,
    LANGUAGES,
    WORDS,
    Problem,
    draw_problem,
    draw_problems,
    spell,
)
from rewards.format import format_reward
from rewards.math import MathChecker
from rl.records import Outcome


def problems(count: int = 1000) -> list[Problem]:
    rng = random.Random(1)
    return [draw_problem(rng) for _ in range(count)]


def solve(problem: Problem) -> int:
    """The answer by Python's own arithmetic, read from the prompt's text alone."""
    question = problem.prompt.removeprefix("User:").removesuffix(" Assistant:")
    for forms in sorted(WORDS.values(), key=lambda forms: -len(forms["zh"])):
        question = question.replace(forms["zh"], forms["en"])
    match question.split()[0], re.sub(r"\s+|\.$", " ", question.strip()).split(maxsplit=1)[1]:
        case "Compute", term if "+" in term or "-" in term:
            left, operator, right = re.fullmatch(r"(\d+)([+-])(\d+) ?", term).groups()
            return int(left) + int(right) if operator == "+" else int(left) - int(right)
        case "Compute", term:
            left, operator, right = term.split()
            bits = {"and": int.__and__, "or": int.__or__, "xor": int.__xor__}[operator]
            return int(f"{bits(int(left, 2), int(right, 2)):b}")
        case "Count", text:
            letter, letters = text.split(": ")
            return letters.count(letter)
        case "Run", program:
            scope: dict[str, int] = {}
            exec(program.strip(), {}, scope)
            return scope["x"]
    raise AssertionError(question)


def test_answers_and_workings_are_right():
    for problem in problems():
        assert int(problem.answer) == int(problem.work()[1]) == solve(problem), problem


def test_prompts_read_as_documented():
    assert Problem("add", ("47", "38"), "en").prompt == "User: Compute 47+38. Assistant:"
    assert Problem("add", ("47", "38"), "zh").prompt == "User: 计算47+38。 Assistant:"
    assert Problem("count", ("a", "abca"), "en").prompt == "User: Count a: a, b, c, a. Assistant:"
    program = Problem("program", ("3", "+4", "-2"), "en")
    assert program.prompt == "User: Run x=3;x=x+4;x=x-2. Assistant:"


@pytest.mark.parametrize(
    ("problem", "working"),
    [
        (Problem("add", ("47", "38"), "en"), " ones 7+8=15 tens 4+3=7+1=8"),
        (Problem("sub", ("52", "17"), "zh"), "个2-7=-5+10=5十5-1=4-1=3"),
        (Problem("sub", ("58", "17"), "zh"), "个8-7=1+0=1十5-1=4-0=4"),
        (Problem("count", ("a", "abca"), "en"), "a+1=1b+0=1c+0=1a+1=2"),
        (Problem("logic", ("101", "{xor}", "011"), "en"), "1 xor 0=1;0 xor 1=1;1 xor 1=0"),
        (Problem("program", ("3", "+4", "-2"), "en"), "3+4=7-2=5"),
    ],
)
def test_workings_read_as_documented(problem, working):
    assert spell("".join(problem.work()[0]), problem.language) == working


def test_a_slip_always_spoils_the_answer_and_one_step():
    for problem in problems(300):
        steps, answer = problem.work()
        for at in range(len(steps)):
            slipped, wrong = problem.work(slip_at=at)
            assert int(wrong) != int(answer), (problem, at)
            assert slipped[:at] == steps[:at] and slipped[at] != steps[at]
            assert len(slipped) == len(steps)


def test_splits_share_no_problem_whatever_the_seeds_and_wordings():
    train = [draw_problems(2000, heldout=False, seed=seed) for seed in (0, 1)]
    heldout = [draw_problems(200, heldout=True, seed=seed) for seed in (0, 1)]
    trained = {problem.canonical for problem in itertools.chain(*train)}
    assert not trained & {problem.canonical for problem in itertools.chain(*heldout)}
    assert train[0] != train[1] and heldout[0] != heldout[1]
    assert train[0] == draw_problems(2000, heldout=False, seed=0)


def test_drawn_problems_are_all_different_and_of_every_kind():
    drawn = draw_problems(1000, heldout=False, seed=0)
    assert len({problem.prompt for problem in drawn}) == 1000
    assert {(p.kind, p.language) for p in drawn} == set(itertools.product(KINDS, LANGUAGES))


def test_swapped_operands_and_the_other_language_are_the_same_problem():
    one = Problem("add", ("47", "38"), "en")
    assert one.canonical == Problem("add", ("38", "47"), "zh").canonical
    assert one.canonical != Problem("sub", ("47", "38"), "en").canonical
    xor = Problem("logic", ("101", "{xor}", "011"), "en")
    assert xor.canonical == Problem("logic", ("011", "{xor}", "101"), "en").canonical


def test_textbook_solutions_earn_the_whole_reward():
    checker = MathChecker()
    for problem in problems(300):
        text = textbook_solution(problem).removesuffix(EOS)
        assert checker.check(text, problem.answer).outcome is Outcome.CORRECT
        assert format_reward(problem.prompt, text, "stop") == 1.0


def test_the_wild_corpus_leaves_something_to_learn():
    rng = random.Random(0)
    drawn = problems(4000)
    texts = [wild_solution(problem, rng).removesuffix(EOS) for problem in drawn]
    checker = MathChecker()
    right = [
        checker.check(text, problem.answer).outcome is Outcome.CORRECT
        for text, problem in zip(texts, drawn, strict=True)
    ]
    formatted = [format_reward("", text, "stop") for text in texts]
    guessed = ["guess" in text or "猜" in text for text in texts]
    assert 0.15 < sum(right) / len(right) < 0.33
    assert sum(formatted) / len(texts) == pytest.approx(next(iter(FORMATS.values())), abs=0.03)
    assert 0.4 < sum(guessed) / len(texts) < 0.6
    long, short = (
        [r for r, g in zip(right, guessed, strict=True) if g == flag] for flag in (False, True)
    )
    assert sum(long) / len(long) > 3 * sum(short) / len(short)


def test_the_corpus_never_shows_a_heldout_problem():
    heldout = {problem.prompt for problem in draw_problems(250, heldout=True, seed=3)}
    rng = random.Random(0)
    for part in ("textbook", "wild"):
        assert not heldout & {draw_document(rng, part)[0] for _ in range(2000)}


def test_facts_are_single_steps():
    rng = random.Random(0)
    facts = {draw_document(rng, "facts") for _ in range(1000)}
    assert {("1或0", f"=1{EOS}"), ("1 xor 1", f"=0{EOS}")} <= facts
    assert all(re.fullmatch(rf"[^=]+(=-?\d+[+-]\d+)?=\d+{EOS}", "".join(fact)) for fact in facts)
