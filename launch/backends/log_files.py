"""Log files of a run folder: of the newest attempt, and of the newest life of its job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from configs.errors import UserError

POLL_S = 0.5


def log_folders(run_dir: Path) -> list[Path]:
    """Where logs are, the newest attempt's first: logs/latest of the driver and its actors, then
    logs/job-latest of the processes around them."""
    folders = [run_dir / "logs" / name for name in ("latest", "job-latest")]
    return [folder for folder in folders if folder.is_dir()]


def log_file(run_dir: Path, role: str) -> Path:
    """Raises UserError naming what there is."""
    found = {path.stem: path for f in reversed(log_folders(run_dir)) for path in f.glob("*.log")}
    if role in found:
        return found[role]
    there = f"there are: {', '.join(sorted(found))}" if found else "there are none yet"
    raise UserError(f"--role={role}: no such log in {run_dir / 'logs'}; {there}")


def read_lines(path: Path, more_may_come: Callable[[], bool]) -> Iterator[str]:
    """The lines of a file, and those that are added while more may come."""
    with path.open(errors="replace") as file:
        while True:
            # Asked before reading, so that what was written just before the end is read too.
            go_on = more_may_come()
            yield from file
            if not go_on:
                return
            time.sleep(POLL_S)
