"""report.html of a pipeline: all stages by all measures, and what each stage did. No script."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from launch.console import clock
from launch.manifest import Manifest, read_manifest
from launch.page.document import FOLDER, policy
from launch.stage_table import FILE, Line, read_results, stage_lines, stage_title
from recipes.r1 import STAGES, Stage

BAR_WIDTH, BAR_HEIGHT = 72, 4
"""Of a value in the table, in CSS pixels."""


def pipeline_page(run_folder: Path, settings: Mapping[str, Any]) -> str:
    """The whole document; texts from runs are escaped. settings: of the pipeline."""
    style = (FOLDER / "style.css").read_text()
    every = [(stage, read_manifest(run_folder / "stages" / stage.name)) for stage in STAGES]
    begun = [(stage, manifest) for stage, manifest in every if manifest]
    body = [
        f"<h1>{escape(run_folder.name)}</h1>",
        _facts(settings, [manifest for _, manifest in begun]),
        _measures(run_folder / "stages" / "evaluation"),
        "<h2>Stages</h2>",
        *(_stage(run_folder, stage, manifest) for stage, manifest in begun),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy("", style, live=False)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(run_folder.name)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n<footer>R1 Foundry</footer>\n</body>\n</html>\n"
    )


def _facts(settings: Mapping[str, Any], begun: Sequence[Manifest]) -> str:
    model = settings["model"]
    facts = {
        "Base model": Path(model["path"]).name if "path" in model else "nano world",
        "Seed": settings["seed"],
        "Stages made": f"{sum(each.complete for each in begun)} of {len(begun)} begun",
        "Time": clock(sum(each.seconds for each in begun)),
    }
    items = (
        f"<div><dt>{name}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts.items()
    )
    return f'<dl class="facts">{"".join(items)}</dl>'


def _measures(folder: Path) -> str:
    if not (folder / FILE).exists():
        return '<p class="card">The stages have not been evaluated yet.</p>'
    results = read_results(folder)
    head = "".join(f"<th>{escape(stage_title(name))}</th>" for name in results)
    rows = "".join(
        f'<tr class="section"><th colspan="{len(results) + 1}">{escape(benchmark)}</th></tr>'
        + "".join(map(_row, lines))
        for benchmark, lines in itertools.groupby(
            stage_lines(results), key=lambda line: line.benchmark
        )
    )
    return (
        '<h2>All stages</h2><div class="card scroll-x"><table><caption>In %, but for tokens per '
        "answer; hold the pointer over a value for its 95 % confidence interval.</caption>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(line: Line) -> str:
    cells = "".join(_cell(line, place) for place in range(len(line.values)))
    return f'<tr><th scope="row">{escape(line.measure)}</th>{cells}</tr>'


def _cell(line: Line, place: int) -> str:
    value, interval = line.values[place], line.intervals[place]
    if value is None:
        return "<td></td>"
    title = f' title="{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"' if interval else ""
    most = 1.0 if line.is_share else max(each for each in line.values if each is not None)
    width = BAR_WIDTH * value / most if most else 0.0
    bar = (
        f'<svg width="{BAR_WIDTH}" height="{BAR_HEIGHT}" aria-hidden="true">'
        f'<rect class="rail" width="{BAR_WIDTH}" height="{BAR_HEIGHT}" rx="2"/>'
        f'<rect class="fill" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2"/></svg>'
    )
    return f'<td class="measure"{title}>{line.shown(place)}{bar}</td>'


def _stage(run_folder: Path, stage: Stage, manifest: Manifest) -> str:
    folder = f"stages/{stage.name}"
    links = [
        f'<a class="chip" href="{folder}/{name}">{text}</a>'
        for name, text in (
            ("report.html", "curves and rollouts"),
            ("final/README.md", "model card"),
        )
        if (run_folder / folder / name).exists()
    ]
    took = clock(manifest.seconds) if manifest.complete else "not finished"
    return (
        f'<section class="card stage"><h3>{escape(stage.title)} <span class="soft">'
        f"{escape(stage.name)}, {took}</span></h3><p>{escape(_reads(stage))}</p>"
        f"{_counts(run_folder / folder, manifest)}"
        f'<p class="links">{"".join(links)}</p></section>'
    )


def _reads(stage: Stage) -> str:
    """From: Dev1"""
    sources = ", ".join(dict.fromkeys(stage_title(source) for source in stage.inputs.values()))
    return f"From: {sources}"


def _counts(folder: Path, manifest: Manifest) -> str:
    """Updates of a training; what the filters of a data-making stage have dropped."""
    path = folder / "counts.json"
    if path.exists():
        counts = json.loads(path.read_text())
        rows = ((each["filter"], each["dropped"], each["left"]) for each in counts["filters"])
        return _table(("dropped because", "dropped", "left"), rows)
    version = manifest.counts.get("version")
    return f"<p>{version:,} updates</p>" if version else ""


def _table(head: Iterable[str], rows: Iterable[tuple[object, ...]]) -> str:
    def cells(tag: str, values: Iterable[object]) -> str:
        shown = (f"{value:,}" if isinstance(value, int) else str(value) for value in values)
        return "".join(f"<{tag}>{escape(each)}</{tag}>" for each in shown)

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{lines}</tbody></table>"
