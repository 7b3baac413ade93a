"""From reports to results, by hand."""

from __future__ import annotations

import signal

import pytest

from rewards.sandbox.inside.protocol import End, Reply
from rewards.sandbox.jobs import Limits, RunResult, RunStatus
from rewards.sandbox.verdicts import run_result
from rewards.sandbox.zygote_client import Outcome, ZygoteError

LIMITS = Limits(time_s=2.0, memory_mib=100, output_bytes=10)


def outcome(
    end: End = End.EXIT, code: int = 0, *, peak: int = 0, stderr: bytes = b"", over: bool = False
) -> Outcome:
    return Outcome(Reply(end, code, 0.5, peak), b"out", stderr, over)


@pytest.mark.parametrize(
    ("reported", "status"),
    [
        (outcome(), RunStatus.FINISHED),
        (outcome(code=1), RunStatus.FINISHED),
        (outcome(code=-11), RunStatus.FINISHED),
        (outcome(End.TIME, -9), RunStatus.TIME_LIMIT),
        (outcome(code=-signal.SIGXCPU), RunStatus.TIME_LIMIT),
        (outcome(End.KILLED, -9, over=True), RunStatus.OUTPUT_LIMIT),
        (outcome(over=True), RunStatus.OUTPUT_LIMIT),
        (outcome(End.TIME, -9, over=True), RunStatus.OUTPUT_LIMIT),
        (outcome(End.KILLED, -9), RunStatus.FINISHED),
        (outcome(code=1, stderr=b"Traceback\nMemoryError\n"), RunStatus.MEMORY_LIMIT),
        (outcome(code=1, stderr=b"MemoryError\nValueError\n"), RunStatus.FINISHED),
        (outcome(code=0, stderr=b"MemoryError\n"), RunStatus.FINISHED),
        (outcome(code=-6, stderr=b"  what():  std::bad_alloc\n"), RunStatus.MEMORY_LIMIT),
        (outcome(code=-11, peak=95 * 1024), RunStatus.MEMORY_LIMIT),
        (outcome(code=-11, peak=85 * 1024), RunStatus.FINISHED),
        (outcome(code=0, peak=95 * 1024), RunStatus.FINISHED),
    ],
)
def test_the_first_limit_that_explains_the_end_is_named(
    reported: Outcome, status: RunStatus
) -> None:
    result = run_result(reported, LIMITS)
    assert result.status is status
    assert (result.exit_code, result.seconds) == (reported.reply.exit_code, 0.5)
    assert result.stdout == b"out"


def test_a_servers_failure_says_nothing_about_the_program() -> None:
    failure = RunResult(RunStatus.SANDBOX_ERROR, None, b"", b"", 0.0, "why")
    assert run_result(ZygoteError("why"), LIMITS) == failure
