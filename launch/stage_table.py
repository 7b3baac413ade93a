"""The table of a pipeline: every stage by every measure, like the paper's Table 3."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Line:
    """A measure of all stages.

    Line("AIME 2024", "pass@1", (0.779, 0.59), ((0.75, 0.80), (0.55, 0.63)))
    """

    benchmark: str
    measure: str
    values: tuple[float | None, ...]
    """None: this stage has none."""
    intervals: tuple[tuple[float, float] | None, ...]
    """95 % confidence intervals, where they are known."""
    is_share: bool = True
    """From 0 to 1; else a number of tokens."""

    def shown(self, place: int) -> str:
        value = self.values[place]
        if value is None:
            return ""
        return f"{100 * value:.1f}" if self.is_share else f"{value:.1f}"


def stage_lines(results: Mapping[str, Scores]) -> list[Line]:
    """Benchmark by benchmark; measures that say nothing about one are left out. results: stage ->
    benchmark -> measures."""
    lines = []
    for benchmark in next(iter(results.values())):
        of_stages = [_shares(scores[benchmark]) for scores in results.values()]
        title = BENCHMARKS[benchmark].title
        for name in of_stages[0]:
            found = [shares[name] for shares in of_stages]
            opens = name == "pass@1" and BENCHMARKS[benchmark].kind == "open"
            if opens or all(each is None for each in found):
                continue
            values = tuple(None if each is None else each["value"] for each in found)
            intervals = tuple(None if each is None else _interval(each) for each in found)
            lines.append(Line(title, name, values, intervals))
        tokens = tuple(scores[benchmark]["mean_tokens"] for scores in results.values())
        lines.append(Line(title, "tokens", tokens, (None,) * len(tokens), is_share=False))
    return lines


def _shares(measures: Mapping[str, Any]) -> dict[str, dict[str, float] | None]:
    """Name -> a rate with its interval, or a share without one."""

    def plain(name: str) -> dict[str, float] | None:
        return None if measures[name] is None else {"value": measures[name]}

    return {
        "pass@1": measures["pass_at"]["1"],
        "cons@n": measures["cons"],
        "format": plain("format"),
        "language": plain("language_consistency"),
        "worth": plain("worth"),
    }


def _interval(rate: Mapping[str, float]) -> tuple[float, float] | None:
    return (rate["low"], rate["high"]) if "low" in rate else None


def stage_title(name: str) -> str:
    """What the paper calls a stage; the name itself for a model that is none."""
    return next((stage.title for stage in STAGES if stage.name == name), name)


def read_results(folder: Path) -> dict[str, Scores]:
    """Stage -> benchmark -> measures, of a finished evaluation."""
    return json.loads((folder / FILE).read_text())


def print_stage_table(folder: Path, console: Console | None = None) -> None:
    """Of a finished evaluation."""
    results = read_results(folder)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, caption="in %, but for tokens per answer")
    table.add_column("", no_wrap=True)
    for name in results:
        table.add_column(stage_title(name), justify="right", overflow="fold")
    lines = stage_lines(results)
    for benchmark, of_it in itertools.groupby(lines, key=lambda line: line.benchmark):
        table.add_row(benchmark, style="bold")
        for line in of_it:
            shown = (line.shown(place) for place in range(len(results)))
            table.add_row(f"  {line.measure}", *shown)
    (console or Console()).print(table)
