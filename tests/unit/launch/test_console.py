"""What a person reads in a log file or on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from launch.console import RunConsole, clock, sparkline

METRICS = {
    "critic/score/mean": 1.25,
    "reward/accuracy/mean": 0.5,
    "reward/format/mean": 0.75,
    "response_length/mean": 21.5,
    "perf/throughput": 4321.0,
    "timing_s/gen": 3.14,
    "timing_s/update_actor": 2.0,
}


def test_plain_line_per_step_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with RunConsole("title", 10, Console(file=out, width=200)) as console:
        console.steps_begin(0)
        console.step(1, METRICS)
    line = out.getvalue().splitlines()[-1]
    assert line.startswith("step    1/10  reward 1.250  accuracy 0.500  format 0.750  length 21.5")
    assert "4,321 tok/s  gen 3.1s  update 2.0s  eta 0:0" in line


def test_step_without_any_verdict_can_be_shown() -> None:
    out = io.StringIO()
    metrics = {k: v for k, v in METRICS.items() if not k.startswith(("critic", "reward"))}
    with RunConsole("title", 10, Console(file=out, width=200)) as console:
        console.step(1, metrics)
    assert "reward" not in out.getvalue() and "length 21.5" in out.getvalue()


def test_live_screen_shows_values_and_curves() -> None:
    out = io.StringIO()
    terminal = Console(file=out, width=120, force_terminal=True)
    with RunConsole("title", 10, terminal) as console:
        for step in (1, 2):
            console.step(step, {**METRICS, "response_length/mean": 10.0 * step})
    assert "step 2/10" in out.getvalue() and "▁█" in out.getvalue()


def test_sparkline_spans_minimum_to_maximum() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([]) == ""
    assert len(sparkline([float(i) for i in range(100)])) == 40


def test_clock() -> None:
    assert clock(95) == "1:35"
    assert clock(3661) == "1:01:01"
