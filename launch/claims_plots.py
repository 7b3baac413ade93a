"""Two drawings of `make claims` as SVG: what R1-Zero's runs do over their steps, and every number
of every claim with one dot for each seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from textwrap import wrap

COLOURS = ("#0072b2", "#d55e00", "#00805e", "#b0508a", "#b07d00", "#3f3f9f")
"""Of the seeds, in turn."""
INK, SOFT, LINE = "#1c2333", "#566074", "#d8dde6"
WIDTH = 840
LEFT, RIGHT = 270, 70
"""Margins of the dots: names, and means."""
ROW, LINE_HEIGHT = 22, 18
"""Heights of a number and of a line of text above them."""
TITLE_LETTERS = 105
"""In one line."""
SMOOTHED = 9
"""Steps over which a curve is averaged."""
PANEL, GAP = 170, 54
"""Height of a panel of curves, and what is between two."""


@dataclass(frozen=True, slots=True)
class Curves:
    """One panel: a value over steps, a curve for each seed."""

    title: str
    values: Sequence[Sequence[float]]
    """[seeds][steps]"""
    highest: float | None = None
    """Top of the axis, which begins at 0; None: the highest value."""


@dataclass(frozen=True, slots=True)
class Dots:
    """One claim: its numbers, a dot for each seed."""

    title: str
    verdict: str
    numbers: Mapping[str, Sequence[float]]
    """Name -> [seeds]; shares, or tokens where the name says so."""


def curves_svg(panels: Sequence[Curves], seeds: Sequence[int]) -> str:
    """The panels below each other."""
    parts = [_legend(seeds, 24)]
    for index, panel in enumerate(panels):
        parts += _panel(panel, top=50 + index * (PANEL + GAP))
    return _svg(50 + len(panels) * (PANEL + GAP), parts)


def dots_svg(claims: Sequence[Dots], seeds: Sequence[int]) -> str:
    """The claims below each other."""
    parts, top = [_legend(seeds, 24)], 44.0
    for claim in claims:
        top = _claim(claim, top, parts) + 14
    return _svg(round(top), parts)


def _panel(panel: Curves, top: int) -> Iterable[str]:
    left, right, bottom = 60, WIDTH - 20, top + 24 + PANEL - 24
    curves = [_smooth(values) for values in panel.values]
    highest = panel.highest or max(max(curve) for curve in curves)
    steps = max(len(curve) for curve in curves)
    yield _text(left, top + 12, panel.title, weight="600")
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top - 24)
        yield f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{LINE}"/>'
        yield _text(left - 8, y + 4, f"{share * highest:.3g}", anchor="end", colour=SOFT)
    yield _text(left, bottom + 16, "step 1", colour=SOFT)
    yield _text(right, bottom + 16, f"step {steps}", anchor="end", colour=SOFT)
    for index, curve in enumerate(curves):
        points = " ".join(
            f"{left + (right - left) * step / max(1, steps - 1):.1f},"
            f"{bottom - (bottom - top - 24) * value / highest:.1f}"
            for step, value in enumerate(curve)
        )
        stroke = f'stroke="{_colour(index)}" stroke-width="1.6"'
        yield f'<polyline points="{points}" fill="none" {stroke}/>'


def _claim(claim: Dots, top: float, parts: list[str]) -> float:
    """Adds to the parts; returns where the claim ends."""
    for line in wrap(claim.title, TITLE_LETTERS):
        top += LINE_HEIGHT
        parts.append(_text(20, top, line, weight="600"))
    left, right = LEFT, WIDTH - RIGHT
    top += LINE_HEIGHT
    parts.append(_text(20, top, claim.verdict, colour=SOFT))
    parts.append(_text(left, top, "0", anchor="middle", colour=SOFT))
    tokens = [v for name, values in claim.numbers.items() if in_tokens(name) for v in values]
    most_tokens = ceil(max(tokens, default=0))
    end = f"100 %, {most_tokens} tokens" if tokens else "100 %"
    parts.append(_text(right, top, end, anchor="middle", colour=SOFT))
    for name, values in claim.numbers.items():
        y = top + ROW * 0.7
        top += ROW
        highest = most_tokens if in_tokens(name) else 1.0
        mean = sum(values) / len(values)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:g}" y2="{y:g}" stroke="{LINE}"/>')
        parts.append(_text(left - 12, y + 4, name, anchor="end"))
        parts.append(_text(right + 12, y + 4, shown(name, mean)))
        for index, value in enumerate(values):
            x = left + (right - left) * value / highest
            fill = f'fill="{_colour(index)}" opacity="0.75"'
            parts.append(f'<circle cx="{x:.1f}" cy="{y:g}" r="5" {fill}/>')
    return top


def in_tokens(name: str) -> bool:
    """Whether this number is one of tokens; all others are shares."""
    return name.startswith("tokens")


def shown(name: str, value: float) -> str:
    return f"{value:.1f}" if in_tokens(name) else f"{100 * value:.1f} %"


def _legend(seeds: Sequence[int], y: int) -> str:
    parts = []
    for index, seed in enumerate(seeds):
        x = 20 + 80 * index
        parts.append(f'<circle cx="{x + 5}" cy="{y - 4}" r="5" fill="{_colour(index)}"/>')
        parts.append(_text(x + 16, y, f"seed {seed}"))
    return "".join(parts)


def _smooth(values: Sequence[float]) -> list[float]:
    """Each value averaged with those before it."""
    windows = (values[max(0, end - SMOOTHED) : end] for end in range(1, len(values) + 1))
    return [sum(window) / len(window) for window in windows]


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, weight: str = "400"
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _svg(height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" font-size="13">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        f"{''.join(parts)}</svg>\n"
    )
