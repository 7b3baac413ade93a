"""Small SVG charts for the report: no scripts, no fonts, no files beside it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 8, 24


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart of metrics over steps."""

    title: str
    series: Mapping[str, str]
    """Label -> metric name."""
    unit: str
    low: float | None = None
    """Bottom of the axis; None: from the data."""
    high: float | None = None
    log: bool = False


def line_chart(chart: Chart, metrics: Sequence[Mapping[str, float]]) -> str:
    """A card with one line per series; steps without the metric are left out."""
    lines = {
        label: [(line["step"], line[name]) for line in metrics if name in line]
        for label, name in chart.series.items()
    }
    lines = {label: points for label, points in lines.items() if points}
    if not lines:
        return ""
    if chart.log:
        lines = {k: [(x, math.log10(max(y, 1e-12))) for x, y in v] for k, v in lines.items()}
    values = [y for points in lines.values() for _, y in points]
    low = min(values) if chart.low is None else chart.low
    high = max(values) if chart.high is None else chart.high
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    last_step = max(x for points in lines.values() for x, _ in points)

    def place(x: float, y: float) -> str:
        across = LEFT + (WIDTH - LEFT - RIGHT) * (x - 1) / max(last_step - 1, 1)
        down = TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)
        return f"{across:.1f},{down:.1f}"

    drawn = "".join(
        f'<polyline class="s{i}" fill="none" stroke-width="2" '
        f'points="{" ".join(place(x, y) for x, y in points)}"/>'
        for i, points in enumerate(lines.values())
    )
    keys = "".join(
        f'<span class="key"><i class="b{i}"></i>{html.escape(label)}</span>'
        for i, label in enumerate(lines)
    )
    last = ", ".join(_number(points[-1][1], chart.log) for points in lines.values())
    return (
        f'<div class="card"><h3>{html.escape(chart.title)}</h3>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(chart.title)}">'
        f"{_axes(low, high, last_step, chart.log)}{drawn}</svg>{keys}"
        f'<span class="key">{html.escape(chart.unit)}; last: {last}</span></div>'
    )


def _axes(low: float, high: float, last_step: float, log: bool) -> str:
    marks = []
    for i in range(5):
        value = low + (high - low) * i / 4
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * i / 4
        marks.append(
            f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(value, log)}</text>'
        )
    marks.append(
        f'<text x="{LEFT}" y="{HEIGHT - 6}">step 1</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{last_step:.0f}</text>'
    )
    return "".join(marks)


def _number(value: float, log: bool) -> str:
    return f"{10**value:.1e}" if log else f"{value:.3g}"


def bar_chart(title: str, bars: Sequence[tuple[str, float, str]]) -> str:
    """A card with horizontal bars of shares: (label, share between 0 and 1, remark)."""
    height = 34 * len(bars) + 6
    drawn = "".join(
        f'<text x="0" y="{34 * i + 22}">{html.escape(label)}</text>'
        f'<rect class="f0" x="96" y="{34 * i + 8}" width="{max(130 * share, 1):.1f}" height="20" '
        f'rx="2"/><text x="{102 + 130 * share:.1f}" y="{34 * i + 22}">{share:.0%}, '
        f"{html.escape(remark)}</text>"
        for i, (label, share, remark) in enumerate(bars)
    )
    return (
        f'<div class="card"><h3>{html.escape(title)}</h3>'
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">'
        f"{drawn}</svg></div>"
    )
