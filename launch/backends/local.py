"""Runs on this machine, in the process that was asked to start them."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from configs.errors import UserError
from configs.pipeline import AnyConfig
from launch.backends.base import Job, JobState
from launch.backends.log_files import follow_log, log_file, read_lines
from launch.stop import withdraw_stop


class LocalBackend:
    """The Backend protocol over processes."""

    def render(self, config: AnyConfig) -> str:
        return ""

    def submit(self, config: AnyConfig) -> int:
        from launch.backends.job import write_job
        from launch.driver import drive
        from launch.run_folder import open_folder

        folder = open_folder(config)
        withdraw_stop(folder)
        write_job(folder, this_process())
        return drive(config)

    def poll(self, job: Job) -> JobState:
        if job.where != platform.node():
            return JobState("unknown", f"process {job.id} of {job.where}, which is not here", "")
        pid = int(job.id)
        if _begin(pid) == job.mark:
            return JobState("running", f"process {pid}", "/proc")
        return JobState("ended", f"process {pid} has ended", "/proc")

    def fetch(self, run_dir: Path, job: Job) -> None:
        pass

    def logs(self, run_dir: Path, job: Job, role: str, *, follow: bool) -> Iterator[str]:
        role = role or "driver"
        if follow:
            return follow_log(run_dir, role, lambda: self.poll(job).alive)
        return read_lines(log_file(run_dir, role))

    def signal(self, run_dir: Path, job: Job) -> str:
        return "it saves and ends after the step that is running"

    def cancel(self, run_dir: Path, job: Job) -> None:
        if job.where != platform.node():
            raise UserError(f"{run_dir}: runs on {job.where}; cancel it there")
        os.kill(int(job.id), signal.SIGTERM)


def this_process() -> Job:
    """The job of a run that this process is."""
    pid = os.getpid()
    return Job("local", str(pid), platform.node(), time.time(), _begin(pid))


def _begin(pid: int) -> str:
    """When a process began, in clock ticks since boot; empty when it is not there or a zombie."""
    try:
        entries = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if entries[0] == "Z" else entries[19]
