"""Running the jobs of one check, and keeping count."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rewards.code.verdicts import CodeVerdictKind
from rewards.sandbox.jobs import Job, RunResult, RunStatus, Sandbox

LIMIT_KINDS = {
    RunStatus.TIME_LIMIT: CodeVerdictKind.TIME_LIMIT,
    RunStatus.MEMORY_LIMIT: CodeVerdictKind.MEMORY_LIMIT,
    RunStatus.OUTPUT_LIMIT: CodeVerdictKind.OUTPUT_LIMIT,
}

SYNTAX_ERRORS = ("SyntaxError:", "IndentationError:", "TabError:")
"""Of Python, without a traceback: the program did not start."""
SHORTEST_S = 0.01
"""With less of the problem's time left, no job is started."""


class OutOfTime(Exception):
    """The check used up the time of the whole problem."""


class SandboxFailed(Exception):
    """A job ended as a sandbox error twice."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a test did not pass."""

    kind: CodeVerdictKind
    detail: str


def failure_of(result: RunResult) -> Failure | None:
    """What is wrong with a run, whatever it printed; None when it ended well."""
    if result.status is RunStatus.COMPILE_ERROR:
        return Failure(CodeVerdictKind.COMPILE_ERROR, _first_line(result.stderr) or result.detail)
    if result.status in LIMIT_KINDS:
        return Failure(LIMIT_KINDS[result.status], result.detail)
    if result.exit_code != 0:
        last = _last_line(result.stderr)
        if last.startswith(SYNTAX_ERRORS) and not result.stderr.startswith(b"Traceback"):
            return Failure(CodeVerdictKind.COMPILE_ERROR, last)
        detail = f"exit code {result.exit_code}"
        return Failure(CodeVerdictKind.RUNTIME_ERROR, f"{detail}: {last}" if last else detail)
    return None


def _first_line(output: bytes) -> str:
    return output[:2000].decode(errors="replace").strip().partition("\n")[0][:300]


def _last_line(output: bytes) -> str:
    return output[-2000:].decode(errors="replace").strip().rpartition("\n")[2][:300]


class Progress:
    """The count of one check while it goes on."""

    def __init__(self, total: int, *, all_or_nothing: bool) -> None:
        self.total = total
        self.passed = 0
        self.failure: Failure | None = None
        """The first one."""
        self._all_or_nothing = all_or_nothing
        self._rejected = False

    @property
    def decided(self) -> bool:
        """Whether further tests cannot change the reward."""
        return self._rejected or (self._all_or_nothing and self.failure is not None)

    def record(self, failure: Failure | None, number: int) -> None:
        """The result of test `number` (from 1); None: it passed."""
        if failure is None:
            self.passed += 1
        elif self.failure is None:
            self.failure = Failure(failure.kind, f"test {number}: {failure.detail}")

    def reject(self, failure: Failure) -> None:
        """The program as a whole fails, whatever tests it passed."""
        self.passed = 0
        self.failure = failure
        self._rejected = True


class JobRunner:
    """Runs jobs while the problem's time lasts. A sandbox error is tried once more.

    Only the programs' own time counts, not what they wait for a free worker.
    """

    def __init__(self, sandbox: Sandbox, time_s: float) -> None:
        self._sandbox = sandbox
        self._left_s = time_s

    def run(self, job: Job) -> RunResult:
        """The result, never a sandbox error. Raises OutOfTime and SandboxFailed."""
        if self._left_s < SHORTEST_S:
            raise OutOfTime
        limits = replace(job.limits, time_s=min(self._left_s, job.limits.time_s))
        limited = replace(job, limits=limits)
        result = self._sandbox.run(limited)
        if result.status is RunStatus.SANDBOX_ERROR:
            result = self._sandbox.run(limited)
        if result.status is RunStatus.SANDBOX_ERROR:
            raise SandboxFailed(result.detail)
        self._left_s -= result.seconds
        if result.status is RunStatus.TIME_LIMIT and limits.time_s < job.limits.time_s:
            raise OutOfTime
        return result
