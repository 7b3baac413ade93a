"""report.html: one self-contained file with the outcome, the curves and rollouts of a run."""

from __future__ import annotations

from pathlib import Path

import yaml

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
    path = run_folder / "report.html"
    settings = yaml.safe_load((run_folder / "config.yaml").read_text())
    if settings["recipe"]["kind"] == "pipeline":
        from launch.page.pipeline import pipeline_page  # it imports the benchmarks

        write_atomically(path, pipeline_page(run_folder, settings))
        return path
    if not (run_folder / "metrics.jsonl").is_file():
        raise UserError(f"{run_folder}: no step of the run is finished yet (no metrics.jsonl)")
    rollouts = open_rollouts(run_folder)
    chosen = chosen_snapshots(rollouts.snapshots())
    kept = within_budget({entry.id: rollouts.groups(entry) for entry in chosen})
    data = {
        "live": False,
        "run": summarise(run_folder, [entry for entry in chosen if kept[entry.id]]),
        "rollouts": kept,
        "note": EXPLANATION,
    }
    write_atomically(path, document(run_folder.name, data, live=False))
    return path


def check_run_folder(folder: Path) -> None:
    """Raises UserError when the folder is not a run."""
    if not (folder / "config.yaml").exists():
        raise UserError(f"{folder}: not a run folder (no config.yaml); name a folder of runs/")
