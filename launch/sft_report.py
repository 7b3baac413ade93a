"""The part of report.html that is about fine-tuning."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from launch.charts import Chart, line_chart

CHARTS = (
    Chart("Loss", {"training": "actor/loss", "held out": "heldout/loss"}, "nats per token"),
    Chart("Learning rate", {"rate": "actor/lr"}, "of AdamW", low=0.0),
    Chart("Gradient norm", {"norm": "actor/grad_norm"}, "before clipping", low=0.0),
    Chart("Entropy of the model", {"entropy": "actor/entropy"}, "nats"),
    Chart("Tokens learnt from", {"per update": "data/loss_tokens"}, "tokens", low=0.0),
    Chart("Speed", {"tokens": "perf/throughput"}, "tokens per second and device", low=0.0),
)


def heldout_losses(run_folder: Path) -> list[dict[str, float]]:
    """One line per evaluation: step, sequences, heldout/loss."""
    results = [json.loads(p.read_text()) for p in sorted((run_folder / "eval").glob("*.json"))]
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


def sft_sections(run_folder: Path, metrics: Sequence[Mapping[str, float]]) -> list[str]:
    """Table, data and curves."""
    losses = heldout_losses(run_folder)
    rows = "".join(
        f"<tr><td>{line['step']:.0f}</td><td>{line['heldout/loss']:.4f}</td>"
        f"<td>{math.exp(line['heldout/loss']):.3f}</td></tr>"
        for line in losses
    )
    head = "<tr><th>updates</th><th>held-out loss</th><th>perplexity</th></tr>"
    # The lines of the steps hold the later losses already; only that of the base is not there.
    base = [{**line, "step": 1.0} for line in losses if line["step"] == 0]
    lines = [*base, *metrics]
    return [
        f"<table>{head}{rows}</table>" if rows else "<p>Nothing held out.</p>",
        f"<p>{html.escape(data_summary(run_folder))}</p>",
        "<h2>Training</h2>",
        f'<div class="grid">{"".join(line_chart(chart, lines) for chart in CHARTS)}</div>',
    ]
