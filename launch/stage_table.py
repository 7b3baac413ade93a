"""The table of a pipeline: every stage by every measure, like the paper's Table 3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from recipes.benchmarks.table import BENCHMARKS
from recipes.r1 import STAGES

FILE = "measures.json"

Scores = Mapping[str, Mapping[str, Any]]
"""Benchmark -> its measures."""

_SHARES: Mapping[str, Callable[[Mapping[str, Any]], float | None]] = {
    "pass@1": lambda measures: measures["pass_at"]["1"]["value"],
    "cons@n": lambda measures: measures["cons"] and measures["cons"]["value"],
    "format": lambda measures: measures["format"],
    "language": lambda measures: measures["language_consistency"],
    "worth": lambda measures: measures["worth"],
}


def table_rows(results: Mapping[str, Scores]) -> list[tuple[str, list[str]]]:
    """(measure, its value for each stage), measures that say nothing about a benchmark left out.

    results: stage -> benchmark -> measures.
    """
    rows = []
    for benchmark in next(iter(results.values())):
        each = [scores[benchmark] for scores in results.values()]
        opens = BENCHMARKS[benchmark].kind == "open"
        for name, share in _SHARES.items():
            values = [share(measures) for measures in each]
            if any(value is not None for value in values) and not (opens and name == "pass@1"):
                title = f"{BENCHMARKS[benchmark].title} {name}"
                shown = ["" if value is None else f"{100 * value:.1f}" for value in values]
                rows.append((title, shown))
        lengths = [f"{measures['mean_tokens']:.1f}" for measures in each]
        rows.append((f"{BENCHMARKS[benchmark].title} tokens", lengths))
    return rows


def stage_title(name: str) -> str:
    """What the paper calls a stage; the name itself for a model that is none."""
    return next((stage.title for stage in STAGES if stage.name == name), name)


def print_stage_table(folder: Path, console: Console | None = None) -> None:
    """Of a finished evaluation."""
    results: dict[str, Scores] = json.loads((folder / FILE).read_text())
    table = Table(box=SIMPLE_HEAD, pad_edge=False, caption="in %, but for tokens per answer")
    table.add_column("", no_wrap=True)
    for name in results:
        table.add_column(stage_title(name), justify="right")
    for title, values in table_rows(results):
        table.add_row(title, *values)
    (console or Console()).print(table)
