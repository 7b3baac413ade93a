"""Log files of a run folder: of the newest attempt, and of the newest life of its job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from configs.errors import UserError

POLL_S = 0.5
ALIVE_S = 5.0
"""Between two questions whether the job still lives."""


def log_files(run_dir: Path) -> dict[str, Path]:
    """Role -> its log: of the driver and its actors in logs/latest, of the processes around them in
    logs/job-latest, and that of the script around the lives of a job."""
    logs = run_dir / "logs"
    scripts = sorted(logs.glob("batch-*.out"), key=lambda path: path.stat().st_mtime)
    found = {"batch": scripts[-1]} if scripts else {}
    for name in ("job-latest", "latest"):
        found |= {path.stem: path for path in sorted((logs / name).glob("*.log"))}
    return found


def log_file(run_dir: Path, role: str) -> Path:
    """Raises UserError naming what there is."""
    found = log_files(run_dir)
    if role in found:
        return found[role]
    there = f"there are: {', '.join(found)}" if found else "there are none yet"
    raise UserError(f"--role={role}: no such log in {run_dir / 'logs'}; {there}")


def read_lines(path: Path) -> Iterator[str]:
    with path.open(errors="replace") as file:
        yield from file


def follow_log(run_dir: Path, role: str, alive: Callable[[], bool]) -> Iterator[str]:
    """Lines as they are written, from life to life, until the job has ended."""
    current, file = None, None
    asked, go_on = float("-inf"), True
    while go_on:
        # Asked before reading, so that what was written just before the end is read too.
        if time.monotonic() - asked > ALIVE_S:
            asked, go_on = time.monotonic(), alive()
        path = log_files(run_dir).get(role)
        newest = path.resolve() if path else None
        if file:
            yield from file
        if newest and newest != current:
            if file:
                file.close()
            current, file = newest, newest.open(errors="replace")
        elif go_on:
            time.sleep(POLL_S)
    if file:
        yield from file
        file.close()
