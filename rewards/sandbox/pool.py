"""The pool of fork servers that run jobs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from configs.schema import SandboxSettings
from rewards.sandbox.jobs import Job, RunResult
from rewards.sandbox.tiers import Tier


class SandboxPool:
    """Runs jobs in this machine's jail; settings.workers at a time. Thread-safe: run() blocks
    while all workers are busy."""

    tier: Tier

    def __init__(self, settings: SandboxSettings = SandboxSettings()) -> None:
        raise NotImplementedError

    def run(self, job: Job) -> RunResult:
        """Run one job to its end, whatever it does."""
        raise NotImplementedError

    def close(self) -> None:
        """End all workers. Jobs that are running end as SANDBOX_ERROR."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
