"""What a fine-tuning run has written down about its data and its held-out loss."""

from __future__ import annotations

import json
from pathlib import Path


def heldout_losses(run_folder: Path) -> list[dict[str, float]]:
    """One line per evaluation: step, sequences, heldout/loss."""
    paths = sorted((run_folder / "eval").glob("loss-*.json"))
    results = [json.loads(path.read_text()) for path in paths]
    return [
        {"step": each["version"], "sequences": each["sequences"], "heldout/loss": each["loss"]}
        for each in results
    ]


def data_summary(run_folder: Path) -> str:
    """What was trained on and what was left out, in one line."""
    path = run_folder / "data.json"
    if not path.exists():
        return "no data read yet"
    data = json.loads(path.read_text())
    left_out = "; ".join(f"{count} {reason}" for reason, count in data["rejected"].items())
    return (
        f"{data['train_sequences']:,} sequences to train on, {data['heldout_sequences']:,} held "
        f"out; rows left out: {left_out or 'none'}"
        + (" (listed in rejected.jsonl)" if left_out else "")
    )
