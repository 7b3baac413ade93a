"""The judge's own rules: limits, caching, sandbox errors, shares."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from configs.rewards import CodeSettings, SandboxSettings
from rewards.code.judge import CodeJudge
from rewards.code.tasks import read_task
from rewards.code.verdicts import CodeVerdict, CodeVerdictKind
from rewards.sandbox.jobs import Job, RunResult, RunStatus, Sandbox
from rewards.sandbox.pool import SandboxPool


class Counting:
    """The pool, with its jobs counted, and the first ones lost on the way."""

    def __init__(self, pool: Sandbox, *, lost: int = 0) -> None:
        self.pool, self.lost, self.jobs = pool, lost, 0

    def run(self, job: Job) -> RunResult:
        self.jobs += 1
        if self.jobs <= self.lost:
            return RunResult(RunStatus.SANDBOX_ERROR, None, b"", b"", 0.0, "lost")
        return self.pool.run(job)


def check(sandbox: Sandbox, settings: CodeSettings | None = None, **record: Any) -> CodeVerdict:
    settings = settings or CodeSettings()
    return CodeJudge(sandbox, settings).check(read_task(record, settings))


OUTPUTS = [{"stdin": str(i), "stdout": str(2 * i)} for i in range(4)]
CALLS = [{"args": [i], "expected": 2 * i} for i in range(4)]
HALF = "x = int(input())\nprint(2 * x if x % 2 else 1)"
HALF_CALLS = "def f(x):\n    if x == 0: raise SystemExit\n    return 2 * x if x % 2 else 1"
SHARE = CodeSettings(all_or_nothing=False)


def test_the_first_failure_ends_the_check(pool: Sandbox) -> None:
    counting = Counting(pool)
    verdict = check(counting, code=HALF, tests=OUTPUTS)
    assert (verdict.verdict, verdict.passed, verdict.total) == ("wrong_answer", 0, 4)
    assert counting.jobs == 1
    assert verdict.reward(all_or_nothing=True) == 0.0


def test_the_share_counts_all_tests(pool: Sandbox) -> None:
    for code, tests in ((HALF, OUTPUTS), (HALF_CALLS, CALLS)):
        verdict = check(pool, SHARE, code=code, entry_point="f", tests=tests)
        assert (verdict.passed, verdict.total) == (2, 4)
        assert verdict.reward(all_or_nothing=False) == 0.5
        assert verdict.reward(all_or_nothing=True) == 0.0


def test_the_share_survives_calls_that_end_the_process(pool: Sandbox) -> None:
    code = (
        "import os\ndef f(x):\n    if x == 2: os._exit(0)\n    while x == 1: pass\n    return 2 * x"
    )
    verdict = check(pool, SHARE, code=code, entry_point="f", tests=CALLS, time_limit_s=0.3)
    assert (verdict.passed, verdict.total) == (2, 4)


def test_forged_replies_leave_no_share(pool: Sandbox) -> None:
    """Not even for the tests passed before."""
    code = """
import os
calls = 0
def f(x):
    global calls
    calls += 1
    for fd in range(3, 64) if calls == 4 else ():
        try: os.write(fd, b'!')
        except OSError: pass
    return 2 * x
"""
    verdict = check(pool, SHARE, code=code, entry_point="f", tests=CALLS)
    assert (verdict.verdict, verdict.passed) == ("wrong_answer", 0)
    assert "forged" in verdict.detail


def test_calls_share_one_job_and_not_its_time(pool: Sandbox) -> None:
    counting = Counting(pool)
    quick = "def f(x): return 2 * x"
    assert check(counting, code=quick, entry_point="f", tests=CALLS).verdict == "accepted"
    assert counting.jobs == 1
    slow = "import time\ndef f(x):\n    time.sleep(0.4)\n    return 2 * x"
    verdict = check(pool, code=slow, entry_point="f", tests=CALLS, time_limit_s=1)
    assert verdict.verdict == "accepted"
    verdict = check(pool, code=slow, entry_point="f", tests=CALLS, time_limit_s=0.2)
    assert verdict.verdict == "time_limit"


def test_an_endless_call_costs_its_limit_once(pool: Sandbox) -> None:
    code = "def f(x):\n    while x == 2: pass\n    return 2 * x"
    verdict = check(pool, code=code, entry_point="f", tests=CALLS, time_limit_s=1)
    assert verdict.verdict == "time_limit"
    assert verdict.seconds < 1.9


def test_a_state_that_fills_up_is_not_held_against_the_next_call(pool: Sandbox) -> None:
    code = "kept = []\ndef f(x):\n    kept.append(bytearray(60 << 20))\n    return 2 * x"
    verdict = check(pool, code=code, entry_point="f", tests=CALLS, memory_limit_mb=200)
    assert verdict.verdict in ("accepted", "memory_limit")


def test_the_problem_has_a_limit(pool: Sandbox) -> None:
    settings = CodeSettings(problem_time_limit_s=0.5)
    code = "import time\ntime.sleep(0.2)\nprint(2 * int(input()))"
    started = time.monotonic()
    verdict = check(pool, settings, code=code, tests=OUTPUTS)
    assert (verdict.verdict, verdict.passed) == ("time_limit", 2)
    assert "0.5 s of the problem" in verdict.detail
    assert time.monotonic() - started < 1.5


def test_waiting_for_a_worker_does_not_count(pool: Sandbox) -> None:
    class Busy(Counting):
        def run(self, job: Job) -> RunResult:
            time.sleep(0.1)
            return self.pool.run(job)

    settings = CodeSettings(problem_time_limit_s=0.3)
    verdict = check(Busy(pool), settings, code="print(2 * int(input()))", tests=OUTPUTS)
    assert verdict.verdict == "accepted"


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        ("print(2 * int(input()))", OUTPUTS),
        ("def f(x): return 2 * x", CALLS),
        ("def f(x): return 2 * x", ["for i in range(3): assert f(i) == i + i"]),
    ],
)
def test_a_sandbox_error_is_tried_again_and_is_no_zero(
    pool: Sandbox, code: str, tests: list[Any]
) -> None:
    assert check(Counting(pool, lost=1), code=code, entry_point="f", tests=tests).verdict == (
        "accepted"
    )
    counting = Counting(pool, lost=2)
    verdict = check(counting, code=code, entry_point="f", tests=tests)
    assert (verdict.verdict, verdict.detail) == ("sandbox_error", "lost")
    assert counting.jobs == 2
    assert verdict.reward(all_or_nothing=True) is None
    assert verdict.reward(all_or_nothing=False) is None


def test_a_closed_pool_is_a_sandbox_error() -> None:
    pool = SandboxPool(SandboxSettings(workers=1))
    pool.close()
    assert check(pool, code="print(1)", tests=OUTPUTS).verdict == "sandbox_error"


def test_verdicts_are_kept_and_sandbox_errors_are_not(pool: Sandbox) -> None:
    settings = CodeSettings()
    counting = Counting(pool, lost=2)
    judge = CodeJudge(counting, settings)
    task = read_task({"code": "print(2 * int(input()))", "tests": OUTPUTS}, settings)
    assert judge.check(task).verdict is CodeVerdictKind.SANDBOX_ERROR
    assert judge.check(task).verdict is CodeVerdictKind.ACCEPTED
    jobs = counting.jobs
    assert judge.check(task).verdict is CodeVerdictKind.ACCEPTED
    assert counting.jobs == jobs
    others = [
        {"code": "print(2 * int(input())) # other", "tests": OUTPUTS},
        {"code": "print(2 * int(input()))", "tests": OUTPUTS[:2]},
        {"code": "print(2 * int(input()))", "tests": OUTPUTS, "compare": "exact"},
        {"code": "print(2 * int(input()))", "tests": OUTPUTS, "time_limit_s": 3},
    ]
    for record in others:
        before = counting.jobs
        judge.check(read_task(record, settings))
        assert counting.jobs > before


def test_code_that_is_no_unicode_is_a_compile_error(pool: Sandbox) -> None:
    assert check(pool, code="print('\ud800')", tests=OUTPUTS).verdict == "compile_error"


def test_threads_share_a_judge(pool: Sandbox) -> None:
    settings = CodeSettings()
    judge = CodeJudge(pool, settings)
    tasks = [
        read_task({"code": f"print({i % 7})", "tests": [{"stdin": "", "stdout": "3"}]}, settings)
        for i in range(28)
    ]
    with ThreadPoolExecutor(4) as threads:
        verdicts = [verdict.verdict for verdict in threads.map(judge.check, tasks)]
    assert verdicts == ["accepted" if i % 7 == 3 else "wrong_answer" for i in range(28)]


def test_long_code_is_judged_as_well(pool: Sandbox) -> None:
    code = "def f(x): return 2 * x\n#" + "\u00e9" * 1_000_000
    assert check(pool, code=code, entry_point="f", tests=CALLS).verdict == "accepted"


def test_a_failing_call_is_the_last_where_one_failure_decides(pool: Sandbox) -> None:
    code = "import time\ndef f(x):\n    time.sleep(0.3)\n    raise ValueError"
    verdict = check(pool, code=code, entry_point="f", tests=CALLS * 5)
    assert (verdict.verdict, verdict.passed) == ("runtime_error", 0)
    assert verdict.seconds < 3


def test_calls_come_in_another_order_for_another_program(pool: Sandbox) -> None:
    tests = [{"args": [i], "expected": i} for i in range(20)]
    by_position = "n = -1\ndef f(x):\n    global n\n    n += 1\n    return n\n"
    for i in range(5):
        code = by_position + f"# {i}"
        assert check(pool, code=code, entry_point="f", tests=tests).verdict == "wrong_answer"
