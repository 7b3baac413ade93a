"""From what a fork server reports to a RunResult. Pure functions."""

from __future__ import annotations

import signal

from rewards.sandbox.inside.protocol import End
from rewards.sandbox.jobs import Limits, RunResult, RunStatus
from rewards.sandbox.zygote_client import Outcome, ZygoteError

NEAR_LIMIT = 0.9
"""Share of the memory limit that counts as having reached it."""


def run_result(outcome: Outcome | ZygoteError, limits: Limits) -> RunResult:
    """The result of a run, or of a server's failure."""
    if isinstance(outcome, ZygoteError):
        return RunResult(RunStatus.SANDBOX_ERROR, None, b"", b"", 0.0, str(outcome))
    status, detail = _status(outcome, limits)
    reply = outcome.reply
    return RunResult(status, reply.exit_code, outcome.stdout, outcome.stderr, reply.seconds, detail)


def _status(outcome: Outcome, limits: Limits) -> tuple[RunStatus, str]:
    reply = outcome.reply
    if outcome.overflow:
        return RunStatus.OUTPUT_LIMIT, f"more than {limits.output_bytes} bytes"
    if reply.end is End.TIME or reply.exit_code == -signal.SIGXCPU:
        return RunStatus.TIME_LIMIT, f"more than {limits.time_s:g} s"
    if reply.end is End.KILLED:
        return RunStatus.FINISHED, "killed because of too many threads"
    if reply.exit_code != 0 and _asked_for_too_much(outcome, limits):
        return RunStatus.MEMORY_LIMIT, f"more than {limits.memory_mib} MiB"
    return RunStatus.FINISHED, ""


def _asked_for_too_much(outcome: Outcome, limits: Limits) -> bool:
    """Signs that a failed program ran out of memory. It can forge them, at no gain."""
    if outcome.reply.peak_kib > NEAR_LIMIT * 1024 * limits.memory_mib:
        return True
    last_line = outcome.stderr.rstrip().rpartition(b"\n")[2]
    return last_line.startswith(b"MemoryError") or b"std::bad_alloc" in outcome.stderr
