"""Test statements that have to be run."""

from __future__ import annotations

import pytest

from rewards.code.replay import free_names
from rewards.code.tasks import TaskError

DOUBLE = "def f(x): return 2 * x"

PASSING = {
    "a loop": (DOUBLE, "for x in range(300):\n    assert f(x) == x + x"),
    "calls of calls": (DOUBLE, "assert f(f(f(1))) == 8"),
    "an expression": (DOUBLE, "assert sorted([f(2), f(1)]) == [2, 4]"),
    "several functions": (
        "def encode(s): return s[::-1]\ndef decode(s): return s[::-1]",
        "for s in ('ab', 'xyz'):\n    assert decode(encode(s)) == s",
    ),
    "an expected exception": (
        "def f(x):\n    if x < 0: raise ValueError('negative')\n    return x",
        "try:\n    f(-1)\nexcept ValueError as e:\n    assert 'negative' in str(e)\n"
        "else:\n    assert False",
    ),
    "random arguments": (
        DOUBLE,
        "import random\nfor _ in range(20):\n    x = random.random()\n    assert f(x) == 2 * x",
    ),
    "a search": (DOUBLE, "x = 0\nwhile f(x) < 10: x += 1\nassert x == 5"),
    "a helper of its own": (DOUBLE, "def twice(x): return f(x)\nassert twice(3) == 6"),
    "candidate": (DOUBLE, "def check(candidate):\n    assert candidate(2) == 4\ncheck(candidate)"),
    "a tuple of several": (DOUBLE, "a, b = f(1), f(2)\nassert (a, b) == (2, 4)"),
    "unpacked": ("def f(x): return x, x", "a, b = f(1)\nassert a == b == 1"),
    "membership by a call": (DOUBLE, "assert any(f(x) == 6 for x in range(5))"),
    "a bare length": ("def f(x): return [x] * x", "assert len(f(3)) == 3"),
    "membership": (DOUBLE, "assert f(2) in {4, 5}"),
}


@pytest.mark.parametrize(("code", "test"), PASSING.values(), ids=PASSING.keys())
def test_right_programs_pass(judge, code: str, test: str) -> None:
    result = judge(code=code, entry_point="f", tests=[test])
    assert (result.verdict, result.detail) == ("accepted", "")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def f(x): return x + 2", "wrong_answer"),
        ("def f(x): return 2 * x if x != 3 else 1 // 0", "runtime_error"),
        ("def g(x): return 2 * x", "runtime_error"),
        ("def f(x): return 2 * x if x != 3 else [", "compile_error"),
        ("def f(x):\n    while x == 3: pass\n    return 2 * x", "time_limit"),
        ("def f(x): return bytearray(1 << 40)", "memory_limit"),
        ("import os\ndef f(x): os._exit(0)", "runtime_error"),
        ("def f(x): return 2 * x if x != 3 else float('nan')", "wrong_answer"),
    ],
)
def test_wrong_programs_fail(judge, code: str, verdict: str) -> None:
    tests = ["for x in range(5):\n    assert f(x) == x + x"]
    assert judge(code=code, tests=tests, time_limit_s=0.5).verdict == verdict


def test_all_answers_together_are_limited(judge) -> None:
    """The owner keeps them, and sends them all in every round."""
    code = "def f(x): return 'a' * 3_000_000"
    for calls, verdict in ((4, "accepted"), (8, "output_limit")):
        tests = [f"for x in range({calls}):\n    assert len(f(x)) == 3_000_000"]
        assert judge(code=code, tests=tests).verdict == verdict


def test_a_function_may_bear_the_name_of_a_built_in(judge) -> None:
    tests = ["for a in (1, 2):\n    assert sum(a, 3) == 2 * (a + 3)"]
    code = "def sum(a, b): return 2 * (a + b)"
    assert judge(code=code, entry_point="sum", tests=tests).verdict == "accepted"


def test_each_text_is_one_test(judge) -> None:
    tests = ["import math", "assert f(1) == 2", "assert f(2) == 5", "assert math.floor(f(1)) == 2"]
    result = judge(code=DOUBLE, tests=tests)
    assert (result.verdict, result.passed, result.total) == ("wrong_answer", 3, 4)
    assert result.detail.startswith("test 3: AssertionError")


@pytest.mark.parametrize(
    "test",
    [
        "import os\nos._exit(0)",
        "while True: pass",
        "x = [1] * 10**12",
        "assert 1 == 2",
        "assert f(lambda: 0) == 1",
        "assert f(object()) == 1",
    ],
)
def test_tests_that_cannot_be_run_are_the_task_s_fault(judge, test: str) -> None:
    with pytest.raises(TaskError, match=r"^tests: "):
        judge(code=DOUBLE, tests=[test, "import math"], time_limit_s=0.5)


def test_a_program_cannot_blame_the_tests(judge) -> None:
    """A task error means no reward at all; a failing program must not be able to ask for it."""
    tests = ["x = 0\nwhile f(x) != 3: x += 1"]
    assert judge(code=DOUBLE, tests=tests).verdict == "time_limit"
    # Its answer makes the tests themselves run on.
    wait = ["while f(1) != 2: pass"]
    assert judge(code=DOUBLE, tests=wait).verdict == "accepted"
    wrong = judge(code="def f(x): return 3", tests=wait, time_limit_s=0.5)
    assert wrong.verdict == "time_limit"
    for value in ("{True, 'a'}", "{1: 2}", "float('nan')", "'Unsupported: a value of type x'"):
        code = f"def f(x): return {value}"
        assert judge(code=code, tests=["import os\nassert f(1) == 2"]).verdict == "wrong_answer"
    forged = """
import os
def f(x):
    for fd in range(3, 64):
        try: os.write(fd, b'{"id":0,"ms":1,"value":{"set":[1,true]}}\\n')
        except OSError: pass
    os._exit(0)
"""
    assert judge(code=forged, tests=["import os\nassert f(1) == 2"]).passed <= 1
    lie = "class Unsupported(Exception): pass\ndef f(x): raise Unsupported('a value of type x')"
    assert judge(code=lie, tests=["import os\nassert f(1) == 2"]).verdict == "runtime_error"


@pytest.mark.parametrize(
    "test",
    [
        "assert all(a == b for a, b in zip(map(f, xs), ys))",
        "for got, want in zip(map(f, xs), ys): assert got == want",
    ],
)
@pytest.mark.parametrize("error", ["StopIteration", "StopIteration(4)", "StopAsyncIteration"])
def test_a_program_cannot_end_the_loop_that_tests_it(judge, test: str, error: str) -> None:
    tests = [f"xs, ys = [1, 2], [2, 4]\n{test}"]
    assert judge(code=DOUBLE, tests=tests).verdict == "accepted"
    for condition in ("True", "x == 2"):
        code = f"def f(x):\n    if {condition}: raise {error}\n    return 2 * x"
        assert judge(code=code, tests=tests).verdict == "runtime_error"


def test_free_names() -> None:
    tests = [
        "import math, os.path as path\nfrom x import y as z",
        "def check(c, *d, e=1, **g):\n    k = [i for i in c]\n    return h(k)",
        "class A(B): pass\ntry: len(a)\nexcept E as b: b",
        "with o as p: q(p)\n(r := 1) + r",
    ]
    assert free_names(tests) == ["B", "E", "a", "h", "o", "q"]
    with pytest.raises(TaskError, match="not Python"):
        free_names(["def"])
