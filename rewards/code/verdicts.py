"""What the judge says about one program."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CodeVerdictKind(StrEnum):
    """The first thing that went wrong, or that nothing did."""

    ACCEPTED = "accepted"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    """An uncaught exception, a non-zero exit code, a signal, or an end before the last answer."""
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    COMPILE_ERROR = "compile_error"
    SANDBOX_ERROR = "sandbox_error"
    """Our infrastructure failed, twice: no statement about the program, and no reward."""


@dataclass(frozen=True, slots=True)
class CodeVerdict:
    """The result of one check.

    CodeVerdict(CodeVerdictKind.WRONG_ANSWER, passed=2, total=5,
                detail="test 3: expected 4, got 5", seconds=0.02)
    """

    verdict: CodeVerdictKind
    passed: int
    """Tests passed. Where one failure decides, the tests after it did not run."""
    total: int
    detail: str
    """For reading; "" when accepted."""
    seconds: float
    """Wall time of the check."""

    def reward(self, *, all_or_nothing: bool) -> float | None:
        """1.0 or 0.0, or the share of tests passed; None when the sandbox failed."""
        if self.verdict is CodeVerdictKind.SANDBOX_ERROR:
            return None
        if all_or_nothing:
            return float(self.verdict is CodeVerdictKind.ACCEPTED)
        return self.passed / self.total
