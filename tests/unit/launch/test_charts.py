"""Charts place their points where the numbers say."""

from __future__ import annotations

import re

from launch.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, bar_chart, line_chart

METRICS = [{"step": 1, "a": 0.0}, {"step": 2, "a": 0.5}, {"step": 3, "a": 1.0, "b": 1.0}]


def points(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [tuple(map(float, pair.split(","))) for pair in line.split()]
        for line in re.findall(r'points="([^"]*)"', svg)
    ]


def test_line_runs_from_corner_to_corner() -> None:
    (line,) = points(line_chart(Chart("t", {"a": "a"}, "u", 0.0, 1.0), METRICS))
    assert line[0] == (LEFT, HEIGHT - BOTTOM)
    assert line[1] == ((LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2)
    assert line[2] == (WIDTH - RIGHT, TOP)


def test_series_without_data_leaves_no_trace() -> None:
    assert line_chart(Chart("t", {"c": "c"}, "u"), METRICS) == ""
    both = line_chart(Chart("t", {"a": "a", "c": "c"}, "u"), METRICS)
    assert len(points(both)) == 1 and ">c</span>" not in both


def test_log_chart_is_linear_in_the_exponent() -> None:
    metrics = [{"step": i + 1, "gap": 10.0**-i} for i in range(3)]
    (line,) = points(line_chart(Chart("t", {"gap": "gap"}, "nats", log=True), metrics))
    assert abs(line[1][1] - (line[0][1] + line[2][1]) / 2) < 0.1


def test_constant_series_and_single_step_can_be_drawn() -> None:
    (line,) = points(line_chart(Chart("t", {"b": "b"}, "u"), [{"step": 1, "b": 2.0}]))
    assert line == [(LEFT, (TOP + HEIGHT - BOTTOM) / 2)]


def test_bar_width_is_the_share_and_text_is_escaped() -> None:
    svg = bar_chart("<t>", [("short", 0.5, "9 completions")])
    assert 'width="65.0"' in svg and "50%, 9 completions" in svg and "&lt;t&gt;" in svg
