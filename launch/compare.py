"""`launch compare A B`: two runs side by side, from what is in their folders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from launch.page.curves import CHARTS
from launch.report import check_run_folder
from launch.run_folder import flatten
from launch.screen import sparkline
from launch.sft_summary import heldout_losses
from launch.trackers import read_metrics
from recipes.evaluation import from_json

LAST = 5
"""A run's value of a metric is its mean over so many last steps; one step alone is noise."""
MEASURES = ("pass_at_1", "pass_at_1_margin", "format_rate", "mean_length", "truncated")
MORE = ("critic/score/mean", "actor/loss", "actor/kl_loss", "perf/throughput", "timing_s/step")
"""Shown beside the key metrics of the page."""
SPARK_WIDTH = 16


def compare_runs(first: Path, second: Path) -> dict[str, Any]:
    """What differs, as plain data. Raises UserError when a folder is not a run."""
    for folder in (first, second):
        check_run_folder(folder)
    settings = [_settings(folder) for folder in (first, second)]
    lines = [read_metrics(folder / "metrics.jsonl") for folder in (first, second)]
    return {
        "runs": [str(first), str(second)],
        "steps": [int(each[-1]["step"]) if each else 0 for each in lines],
        "settings": {
            key: [each.get(key) for each in settings]
            for key in sorted(settings[0].keys() | settings[1].keys())
            if settings[0].get(key) != settings[1].get(key)
        },
        "evaluations": [_evaluations(folder) for folder in (first, second)],
        "metrics": {
            name: [_summary(_values(each, name)) for each in lines]
            for name in sorted({name for each in lines for line in each for name in line})
            if name != "step"
        },
    }


def _settings(folder: Path) -> dict[str, Any]:
    flat = flatten(yaml.safe_load((folder / "config.yaml").read_text()))
    return {key: value for key, value in flat.items() if key != "run_dir"}


def _evaluations(folder: Path) -> list[dict[str, float]]:
    """First and last evaluation on held-out problems, or the held-out losses of fine-tuning."""
    found = []
    for path in sorted((folder / "eval").glob("step-*.json")):
        summary, _ = from_json(path.read_text())
        step = int(path.stem.removeprefix("step-"))
        found.append({"step": step, **{name: getattr(summary, name) for name in MEASURES}})
    found = found or heldout_losses(folder)
    return found[:1] + found[1:][-1:]


def _values(lines: Sequence[Mapping[str, float]], name: str) -> list[float]:
    return [line[name] for line in lines if name in line]


def _summary(values: Sequence[float]) -> dict[str, Any] | None:
    """First value, mean of the last ones, and the curve at a few points; None without values."""
    if not values:
        return None
    return {
        "first": values[0],
        "last": fmean(values[-LAST:]),
        "lowest": min(values),
        "highest": max(values),
        "curve": _thinned(values),
    }


def _thinned(values: Sequence[float]) -> list[float]:
    """Means of equal parts, at most SPARK_WIDTH."""
    parts = min(len(values), SPARK_WIDTH)
    edges = [round(i * len(values) / parts) for i in range(parts + 1)]
    return [fmean(values[low:high]) for low, high in pairwise(edges)]


def compare(first: Path, second: Path, *, as_json: bool, console: Console | None = None) -> int:
    found = compare_runs(first, second)
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    console = console or Console()
    for table in (_settings_table(found), _evaluation_table(found), _metrics_table(found)):
        if table.row_count:
            console.print(table, "")
    if not found["settings"]:
        console.print("the settings are the same, but for run_dir")
    return 0


def _table(title: str, found: Mapping[str, Any], *more: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("", overflow="fold")
    names = [Path(run).name for run in found["runs"]]
    for name in (*(names if names[0] != names[1] else found["runs"]), *more):
        table.add_column(name, justify="right", overflow="fold")
    return table


def _settings_table(found: Mapping[str, Any]) -> Table:
    table = _table("settings that differ", found)
    for key, (one, other) in found["settings"].items():
        table.add_row(key, *("-" if value is None else str(value) for value in (one, other)))
    return table


def _evaluation_table(found: Mapping[str, Any]) -> Table:
    table = _table("held out: before -> after", found)
    one, other = found["evaluations"]
    for name in dict.fromkeys(name for each in (*one, *other) for name in each):
        cells = [
            " -> ".join(_number(each[name]) for each in run if name in each) for run in (one, other)
        ]
        table.add_row(name, *(cell or "-" for cell in cells))
    return table


def _metrics_table(found: Mapping[str, Any]) -> Table:
    """The metrics that the page shows first; --json has all."""
    key = [name for chart in CHARTS if chart.key for name in chart.series.values()]
    shown = [name for name in (*key, *MORE) if "*" not in name and name in found["metrics"]]
    parts = [
        name for name in found["metrics"] if name.startswith("reward/") and "outcome" not in name
    ]
    table = _table(f"metrics, mean of the last {LAST} steps", found, "change", "curves")
    table.add_row("steps", *(str(steps) for steps in found["steps"]), "", "")
    for name in dict.fromkeys((*parts, *shown)):
        one, other = found["metrics"][name]
        change = (
            f"{other['last'] / one['last'] - 1.0:+.0%}" if one and other and one["last"] else ""
        )
        table.add_row(name, *map(_last, (one, other)), change, _curves(one, other))
    return table


def _last(summary: Mapping[str, Any] | None) -> str:
    return _number(summary["last"]) if summary else "-"


def _curves(*summaries: Mapping[str, Any] | None) -> str:
    """On one scale, so that they can be compared."""
    points = [value for each in summaries if each for value in each["curve"]]
    bounds = (min(points), max(points))
    return " ".join(
        sparkline(each["curve"], SPARK_WIDTH, bounds) if each else "-" for each in summaries
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"
