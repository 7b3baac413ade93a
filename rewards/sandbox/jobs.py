"""What goes into the sandbox and what comes out. Frozen records; nothing here runs anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. Enforced from outside the program, by killing it."""

    time_s: float = 10.0
    """Wall-clock seconds; also CPU seconds, rounded up, plus one."""
    memory_mib: int = 1024
    """Address space of the process, in MiB."""
    output_bytes: int = 1 << 20
    """Bytes of stdout and, separately, of stderr."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program and its input.

    Job(source="print(int(input()) + 1)", stdin=b"41") prints b"42".
    """

    source: str
    language: str = "python"
    """A key of rewards.sandbox.languages.LANGUAGES."""
    stdin: bytes = b""
    limits: Limits = Limits()
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Relative path -> content, in the job's working directory."""


class RunStatus(StrEnum):
    """How a run ended. Only FINISHED has an exit code that the program chose."""

    FINISHED = "finished"
    """By itself, with any exit code or signal."""
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    """It failed, and with signs of having asked for more memory than allowed."""
    OUTPUT_LIMIT = "output_limit"
    COMPILE_ERROR = "compile_error"
    """The compiler refused the source, or ran into a limit; its messages are in stderr."""
    SANDBOX_ERROR = "sandbox_error"
    """Our infrastructure failed: says nothing about the program."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    RunResult(RunStatus.FINISHED, exit_code=0, stdout=b"42\\n", stderr=b"", seconds=0.003,
              detail="")
    """

    status: RunStatus
    exit_code: int | None
    """Negative: the signal that ended it. None when the sandbox failed. Never proof of anything
    good: a program can choose it."""
    stdout: bytes
    """At most limits.output_bytes."""
    stderr: bytes
    """At most limits.output_bytes."""
    seconds: float
    """Wall-clock time of the program, without the sandbox's own."""
    detail: str
    """One line for people; empty when there is nothing to add."""


class Sandbox(Protocol):
    """Anything that runs jobs: the local pool, or a server."""

    def run(self, job: Job) -> RunResult:
        """Run one job to its end. Thread-safe; raises UserError for a job that cannot be run as
        asked (an unknown language, a file name outside the working directory)."""
        ...
