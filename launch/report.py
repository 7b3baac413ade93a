"""report.html: one self-contained file with the outcome, the curves and rollouts of a run."""

from __future__ import annotations

from pathlib import Path

from configs.errors import UserError
from launch.page.document import document
from launch.page.selection import EXPLANATION, chosen_snapshots, within_budget
from launch.page.summary import open_rollouts, summarise
from launch.run_folder import write_atomically


def write_report(run_folder: Path) -> Path:
    """Make report.html from what is in the run folder; returns its path.

    Raises UserError when the folder is not a run.
    """
    check_run_folder(run_folder)
    rollouts = open_rollouts(run_folder)
    chosen = chosen_snapshots(rollouts.snapshots())
    kept = within_budget({entry.id: rollouts.groups(entry) for entry in chosen})
    data = {
        "live": False,
        "run": summarise(run_folder, [entry for entry in chosen if kept[entry.id]]),
        "rollouts": kept,
        "note": EXPLANATION,
    }
    path = run_folder / "report.html"
    write_atomically(path, document(run_folder.name, data, live=False))
    return path


def check_run_folder(folder: Path) -> None:
    """Raises UserError when the folder is not a run."""
    if not (folder / "config.yaml").exists():
        raise UserError(f"{folder}: not a run folder (no config.yaml); name a folder of runs/")
