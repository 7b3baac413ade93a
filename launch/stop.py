"""The STOP file: how a run is asked, by a person or a scheduler, to save and end.

The driver looks for it after each step. What is in it says why: "final" ends the run for good,
anything else is a break after which the scheduler starts it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from launch.run_folder import write_atomically

FILE = "STOP"


class StopAsked(Exception):
    """The run was asked to end and has saved everything."""

    def __init__(self, step: int, *, final: bool) -> None:
        super().__init__(f"stopped after step {step}, as asked; everything is saved")
        self.final = final


Asked = Literal["break", "final"]


def ask_to_stop(run_dir: Path, why: Asked = "final") -> None:
    """For good, if nothing else is said: nothing starts it again but `launch resume`."""
    write_atomically(run_dir / FILE, f"{why}\n")


def stop_asked(run_dir: Path) -> Asked | None:
    try:
        text = (run_dir / FILE).read_text()
    except FileNotFoundError:
        return None
    return "final" if text.strip() == "final" else "break"


def end_if_asked(run_dir: Path, step: int) -> None:
    """For runs that keep all they make. Raises StopAsked when somebody wants the run to end.

    step: how many are finished."""
    asked = stop_asked(run_dir)
    if asked:
        raise StopAsked(step, final=asked == "final")


def withdraw_stop(run_dir: Path) -> None:
    (run_dir / FILE).unlink(missing_ok=True)
