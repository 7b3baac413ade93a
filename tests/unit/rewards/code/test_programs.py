"""Whole programs: input in, output out, in each language."""

from __future__ import annotations

import shutil

import pytest

SUM = [{"stdin": "3\n1 2 3\n", "stdout": "6\n"}, {"stdin": "1\n-5", "stdout": "-5"}]

C_SUM = """
#include <stdio.h>
int main(void) {
    int n, x, sum = 0;
    scanf("%d", &n);
    while (n--) { scanf("%d", &x); sum += x; }
    printf("%d\\n", sum);
    return 0;
}
"""
CPP_SUM = """
#include <iostream>
#include <numeric>
#include <vector>
int main() {
    int n; std::cin >> n;
    std::vector<int> v(n);
    for (auto &x : v) std::cin >> x;
    std::cout << std::accumulate(v.begin(), v.end(), 0) << std::endl;
}
"""

needs_compilers = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("g++") is None, reason="no C and C++ compilers"
)

PYTHON = {
    "accepted": "input()\nprint(sum(map(int, input().split())))",
    "wrong_answer": "input()\nprint(max(map(int, input().split())))",
    "runtime_error": "print(int('x'))",
    "time_limit": "while True: pass",
    "memory_limit": "x = bytearray(1 << 30)\nprint(6)",
    "output_limit": "while True: print('6' * 10**5)",
    "compile_error": "print('a' 1 2",
}


@pytest.mark.parametrize(("verdict", "code"), PYTHON.items(), ids=PYTHON.keys())
def test_python_verdicts(judge, verdict: str, code: str) -> None:
    result = judge(code=code, tests=SUM, time_limit_s=1, memory_limit_mb=256)
    assert result.verdict == verdict
    assert (result.passed == 2, result.total) == (verdict == "accepted", 2)
    assert bool(result.detail) == (verdict != "accepted")


def test_an_exit_code_decides_over_the_output(judge) -> None:
    code = PYTHON["accepted"] + "\nraise SystemExit(1)"
    assert judge(code=code, tests=SUM).verdict == "runtime_error"


def test_the_right_output_and_no_end_is_too_late(judge) -> None:
    code = PYTHON["accepted"] + "\nimport sys\nsys.stdout.flush()\nwhile True: pass"
    assert judge(code=code, tests=SUM, time_limit_s=0.5).verdict == "time_limit"


def test_a_syntax_error_at_run_time_is_a_runtime_error(judge) -> None:
    assert judge(code="eval('1 +')", tests=SUM).verdict == "runtime_error"


C_VERDICTS = {
    "accepted": C_SUM,
    "wrong_answer": C_SUM.replace("sum += x", "sum -= x"),
    "runtime_error": "int main(void) { volatile int *p = 0; return *p; }",
    "time_limit": "int main(void) { for (;;) ; }",
    "compile_error": C_SUM.replace("int n", "int m"),
}


@needs_compilers
@pytest.mark.parametrize(("verdict", "code"), C_VERDICTS.items(), ids=C_VERDICTS.keys())
def test_c_verdicts(judge, verdict: str, code: str) -> None:
    result = judge(code=code, language="c", tests=SUM, time_limit_s=0.5)
    assert result.verdict == verdict
    if verdict == "compile_error":
        assert "undeclared" in result.detail


@pytest.mark.integration
@needs_compilers
def test_cpp_verdicts(judge) -> None:
    right = judge(code=CPP_SUM, language="cpp", tests=SUM)
    assert (right.verdict, right.passed) == ("accepted", 2)
    wrong = judge(code=CPP_SUM.replace("0) <<", "1) <<"), language="cpp", tests=SUM)
    assert (wrong.verdict, wrong.passed) == ("wrong_answer", 0)


LOOK_FOR_IT = """
import gc, os, re, sys
found = set()
def look(text):
    found.update(re.findall(r"SECRET-[0-9a-f]{8}", text))
frame = sys._getframe()
while frame:
    for space in (frame.f_locals, frame.f_globals, frame.f_builtins):
        for value in list(space.values()):
            try: look(str(value))
            except Exception: pass
    frame = frame.f_back
for item in gc.get_objects():
    try: look(str(item))
    except Exception: pass
for pid in ("self", os.getppid(), 1):
    for name in ("environ", "cmdline", "maps"):
        try: look(open(f"/proc/{pid}/{name}", errors="replace").read())
        except OSError: pass
look(str(dict(os.environ)))
for folder, _, names in os.walk("/tmp"):
    for name in names:
        try: look(open(os.path.join(folder, name), errors="replace").read(10**6))
        except OSError: pass
"""
"""Looks for an expected output in everything that a program can reach, as works against harnesses
that keep it in the same process."""


def test_the_expected_output_is_nowhere_to_be_found(judge) -> None:
    tests = [{"stdin": "", "stdout": "SECRET-1234abcd"}]
    code = LOOK_FOR_IT + "print(*found or ['nothing'])"
    result = judge(code=code, tests=tests)
    assert result.verdict == "wrong_answer"
    assert result.detail == "test 1: word 1: expected 'SECRET-1234abcd', got 'nothing'"
    # The search itself works: it finds what is there.
    result = judge(code="there = 'SECRET-1234' + 'abcd'\n" + code, tests=tests)
    assert result.verdict == "accepted"


def test_the_expected_value_is_nowhere_to_be_found(judge) -> None:
    code = LOOK_FOR_IT + "def f(): return found.pop() if found else None"
    for tests in (
        [{"args": [], "expected": "SECRET-1234abcd"}],
        ["assert f() == 'SECRET-1234abcd'"],
        ["x = 'SECRET-1234abcd'\nassert f() == x"],
    ):
        assert judge(code=code, entry_point="f", tests=tests).verdict == "wrong_answer"
