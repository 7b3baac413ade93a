"""What a person reads in a log file or on a terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from launch.alarms import Alarm
from launch.console import RunConsole
from launch.screen import View, clock, screen, sparkline

METRICS = {
    "critic/score/mean": 1.25,
    "reward/accuracy/mean": 0.5,
    "reward/format/mean": 0.75,
    "response_length/mean": 21.5,
    "perf/throughput": 4321.0,
    "timing_s/gen": 3.14,
    "timing_s/update_actor": 2.0,
    "timing_s/step": 5.2,
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


def test_alarm_is_a_line_of_its_own_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with RunConsole("title", 10, Console(file=out, width=40)) as console:
        console.alarm(Alarm("disk", "4.2% of the disk is free, and more words than fit in a row"))
    assert out.getvalue().splitlines()[-1].startswith("alarm: 4.2% of the disk is free, and more")


def test_alarm_stays_on_the_screen_until_a_step_without_it() -> None:
    console = RunConsole("title", 10, Console(file=io.StringIO(), force_terminal=True))
    alarm = Alarm("stalled", "no step for more than 60 s")

    def shown() -> bool:
        with console._console.capture() as capture:
            console._console.print(console._screen())
        return "no step for more than 60 s" in capture.get()

    console.alarm(alarm)
    assert shown()
    console.step(1, METRICS, [alarm])
    assert shown()
    console.step(2, METRICS)
    assert not shown()


def drawn(width: int, **console: bool) -> list[str]:
    view = View(
        title="R1 Foundry",
        step=5,
        steps=10,
        doing="evaluating on 128 held-out problems, which is " + "a long way to say it " * 5,
        since_step_s=75.0,
        eta="1:35",
        curves={"reward": [float(i % 7) for i in range(300)], "held-out loss": []},
        last={"reward": 1.25},
        metrics={
            **METRICS,
            "timing_s/sync": 0.06,
            "engine/running": 61.7,
            "engine/waiting": 3.0,
            "engine/kv_cache_usage": 0.834,
            "engine/preemptions": 12.0,
            "perf/peak_memory_gib/driver": 0.75,
            "perf/peak_memory_gib/sampler_0": 1.5,
        },
        alarms=[Alarm("disk", "a disk that fills " * 12)],
    )
    out = io.StringIO()
    Console(file=out, width=width, **console).print(screen(view, width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_screen_fits_the_terminal(width: int) -> None:
    lines = drawn(width)
    assert {len(line) for line in lines} == {min(width, 120)}
    text = " ".join(" ".join(line.strip("│ ").split()) for line in lines)
    assert "eta 1:35" in text and "reward 1.250" in text and "held-out loss -" in text
    assert text.count("a disk that fills") == 12
    assert "memory 2.2 GiB, 2 processes" in text
    assert "engines: 62 running, 3 waiting, KV cache 83%" in text


def test_the_bars_have_the_shares_of_steps_and_phases() -> None:
    lines = drawn(104)
    bar = lines[1].strip("│ ")
    assert abs(bar.count("━") - bar.count("─")) <= 1
    (phases,) = [line for line in lines if line.count("█") > 20 and "▓" in line]
    # Of 100 columns: 0.06, 3.14 and 2.0 seconds of 5.2.
    assert (phases.count("·"), phases.count("█"), phases.count("▓")) == (1, 61, 38)


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = re.compile("\x1b\\[(?:[0-9;]*;)?[39][0-7]m")
    assert any(colour.search(line) for line in drawn(80, force_terminal=True))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not any(colour.search(line) for line in drawn(80, force_terminal=True))


def test_sparkline_spans_minimum_to_maximum() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([]) == ""
    assert len(sparkline([float(i) for i in range(100)])) == 40


def test_clock() -> None:
    assert clock(95) == "1:35"
    assert clock(3661) == "1:01:01"
