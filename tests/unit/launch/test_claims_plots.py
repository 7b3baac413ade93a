"""The drawings of the claims show the numbers where they are."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from launch.claims_plots import (
    LEFT,
    LINE_HEIGHT,
    RIGHT,
    SMOOTHED,
    TITLE_LETTERS,
    WIDTH,
    Curves,
    Dots,
    curves_svg,
    dots_svg,
)

SVG = "{http://www.w3.org/2000/svg}"


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg).findall(f"{SVG}{tag}")


def test_a_dot_for_each_seed_stands_at_its_value() -> None:
    numbers = {"pass@1": [0.25, 1.0], "tokens": [10.0, 19.5]}
    drawing = dots_svg([Dots("a: it <grows>", "held with 2 of 2 seeds", numbers)], [0, 1])
    of_legend, dots = elements(drawing, "circle")[:2], elements(drawing, "circle")[2:]
    width = WIDTH - RIGHT - LEFT
    places = [float(dot.attrib["cx"]) - LEFT for dot in dots]
    shares = [place / width for place in places]
    assert shares == pytest.approx([0.25, 1.0, 10 / 20, 19.5 / 20], abs=1e-3)
    colours = [dot.attrib["fill"] for dot in of_legend]
    assert [dot.attrib["fill"] for dot in dots] == colours * 2 and len(set(colours)) == 2
    texts = [each.text for each in elements(drawing, "text")]
    assert texts == [
        *("seed 0", "seed 1", "a: it <grows>", "held with 2 of 2 seeds", "0"),
        *("100 %, 20 tokens", "pass@1", "62.5 %", "tokens", "14.8"),
    ]


def test_a_long_title_is_broken_and_what_follows_moves_down() -> None:
    def first_dot(title: str) -> float:
        drawing = dots_svg([Dots(title, "held", {"pass@1": [0.5]})], [0])
        return float(elements(drawing, "circle")[1].attrib["cy"])

    long = " ".join(["preference"] * 15)
    texts = [each.text or "" for each in elements(dots_svg([Dots(long, "", {})], [0]), "text")]
    assert max(map(len, texts)) <= TITLE_LETTERS < len(long)
    assert first_dot(long) == first_dot("short") + LINE_HEIGHT


def test_a_curve_is_averaged_over_the_steps_before() -> None:
    values = [0.0] * SMOOTHED + [1.0] * SMOOTHED
    drawing = curves_svg([Curves("accuracy", [values, values[:4]], highest=1.0)], [0, 1])
    long, short = elements(drawing, "polyline")
    heights = [float(pair.split(",")[1]) for pair in long.attrib["points"].split()]
    assert len(heights) == 2 * SMOOTHED and len(short.attrib["points"].split()) == 4
    lines = sorted(float(line.attrib["y1"]) for line in elements(drawing, "line"))
    top, middle, bottom = lines
    assert heights[0] == pytest.approx(bottom) and heights[-1] == pytest.approx(top)
    rise = [(bottom - height) / (bottom - top) for height in heights[SMOOTHED - 1 :]]
    assert rise == pytest.approx([i / SMOOTHED for i in range(SMOOTHED + 1)], abs=1e-3)
    assert middle == pytest.approx((top + bottom) / 2)


def test_the_highest_value_is_the_top_where_none_is_given() -> None:
    drawing = curves_svg([Curves("tokens", [[4.0, 4.0]])], [0])
    assert "4" in [each.text for each in elements(drawing, "text")]
