"""What a backend does with a run: start it somewhere, say how it is, end it.

The run folder is all that the two sides share. The submitter alone writes job.json; the driver
alone writes status.json, and run.json with one entry for each life of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from configs.pipeline import AnyConfig


@dataclass(frozen=True, slots=True)
class Job:
    """A started run, as job.json keeps it."""

    backend: str
    """cluster.kind."""
    id: str
    """Process, SLURM job or RayJob."""
    where: str
    """Host, or namespace: where the id means something."""
    submitted: float
    """Seconds since 1970."""
    mark: str = ""
    """What tells the job from a later one with the same id; empty where ids never come again."""


@dataclass(frozen=True, slots=True)
class JobState:
    """What is known about a job outside its run folder."""

    state: Literal["pending", "running", "ended", "unknown"]
    """pending: it waits for machines, the first time or again."""
    detail: str
    """In the words of whoever was asked: "RUNNING on n[1-2]"."""
    source: str
    """Who was asked: squeue, kubectl ..."""

    @property
    def alive(self) -> bool:
        return self.state in ("pending", "running")


class Backend(Protocol):
    """One kind of cluster."""

    def render(self, config: AnyConfig) -> str:
        """The script or manifest that submit() would hand over; empty where there is none. Nothing
        is written, and the same settings give the same text."""
        ...

    def submit(self, config: AnyConfig) -> int:
        """Start or continue the run, whose folder nobody uses now; returns the exit code. Local
        runs have ended by then, others have only been queued."""
        ...

    def poll(self, job: Job) -> JobState: ...

    def fetch(self, run_dir: Path, job: Job) -> None:
        """Bring what the driver says about the run into run_dir, where that is not its folder."""
        ...

    def logs(self, run_dir: Path, job: Job, role: str, *, follow: bool) -> Iterator[str]:
        """Lines of one process's log in the newest life, to the end of the job when followed. role:
        empty for what a person wants to see first. Raises UserError when there is no such log."""
        ...

    def signal(self, run_dir: Path, job: Job) -> str:
        """Tell a living job to look at its STOP file, which is in place; returns what will happen,
        in a line."""
        ...

    def cancel(self, run_dir: Path, job: Job) -> None:
        """End a living job now."""
        ...
