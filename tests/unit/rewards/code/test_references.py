from __future__ import annotations

import json

import pytest

from rewards.code.tasks import ModuleTests, read_task
from tests.unit.rewards.code.conftest import SETTINGS
from tests.unit.rewards.code.references import IN_MAIN, PROBLEMS, Problem

each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())


@each_problem
def test_asserts(judge, problem: Problem) -> None:
    tests = [
        f"assert f({', '.join(map(repr, args))}) == {value!r}" for args, value in problem.cases
    ]
    assert not isinstance(read_task({"code": "", "tests": tests}, SETTINGS).tests, ModuleTests)
    assert judge(code=problem.right, tests=tests).verdict == "accepted"
    wrong = judge(code=problem.wrong, tests=tests, time_limit_s=1)
    assert wrong.verdict in ("wrong_answer", "runtime_error", "time_limit")


def is_json(values: list[object]) -> bool:
    try:
        return json.loads(json.dumps(values)) == values
    except TypeError:
        return False


@each_problem
def test_calls(judge, problem: Problem) -> None:
    cases = [[list(args), value] for args, value in problem.cases]
    if not is_json(cases):
        pytest.skip("JSON has no such values")
    tests = [{"args": args, "expected": value} for args, value in cases]
    right = judge(code=problem.right, entry_point="f", tests=tests)
    assert (right.verdict, right.passed) == ("accepted", len(tests))
    wrong = judge(code=problem.wrong, entry_point="f", tests=tests, time_limit_s=1)
    assert wrong.verdict in ("wrong_answer", "runtime_error", "time_limit")


@each_problem
def test_a_check_function(judge, problem: Problem) -> None:
    """HumanEval's form: a function with a loop, which only running it can tell."""
    tests = [
        f"CASES = {problem.cases!r}",
        "def check(candidate):\n    for args, value in CASES:\n        got = candidate(*args)\n"
        "        assert got == value or abs(got - value) < 1e-9",
        "check(f)",
    ]
    assert isinstance(read_task({"code": "", "tests": tests}, SETTINGS).tests, ModuleTests)
    assert judge(code=problem.right, tests=tests).verdict == "accepted"
    wrong = judge(code=problem.wrong, tests=tests, time_limit_s=1)
    assert wrong.verdict in ("wrong_answer", "runtime_error", "time_limit")


@each_problem
def test_programs(judge, problem: Problem) -> None:
    ordered = [case for case in problem.cases if not isinstance(case[1], dict | set)]
    tests = [{"stdin": f"{args!r}\n", "stdout": repr(value)} for args, value in ordered]
    if "print(" in problem.right or "cmath" in problem.right or not tests:
        pytest.skip("prints more, or in no certain form")
    how = {"tests": tests, "compare": "float:1e-9", "time_limit_s": 1}
    assert judge(code=problem.right + IN_MAIN, **how).verdict == "accepted"
    wrong = judge(code=problem.wrong + IN_MAIN, **how)
    assert wrong.verdict in ("wrong_answer", "runtime_error", "time_limit")
