"""The live screen of a run, drawn from what is known at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from launch.alarms import Alarm

SPARK = "▁▂▃▄▅▆▇█"
PHASES = {
    "sync": ("·", "blue"),
    "gen": ("█", "cyan"),
    "old_log_prob": ("▚", "magenta"),
    "ref": ("▒", "magenta"),
    "data": ("·", "blue"),
    "update_actor": ("▓", "green"),
}
"""Phase -> how it is drawn: a sign too, for those who see no colours."""
WIDEST = 120
BORDER = 4
"""Columns of the panel's two sides."""


@dataclass(frozen=True, slots=True)
class View:
    """What the screen shows."""

    title: str
    step: int
    steps: int
    """0: not known yet."""
    doing: str
    since_step_s: float
    """Seconds since the last step ended, or since steps began."""
    eta: str
    curves: Mapping[str, Sequence[float]]
    last: Mapping[str, float]
    """Name of a curve -> its value at the last step."""
    metrics: Mapping[str, float]
    alarms: Sequence[Alarm] = field(default_factory=tuple)


def sparkline(
    values: Sequence[float], width: int = 40, bounds: tuple[float, float] | None = None
) -> str:
    """The last `width` values as block characters between bounds, or their own minimum and
    maximum."""
    values = values[-width:]
    if not values:
        return ""
    low, high = bounds or (min(values), max(values))
    scale = (len(SPARK) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARK[round((value - low) * scale)] for value in values)


def clock(seconds: float) -> str:
    """95 -> "1:35"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def phase_seconds(metrics: Mapping[str, float]) -> dict[str, float]:
    """The phases that the step had, in the order in which they come."""
    found = {phase: metrics.get(f"timing_s/{phase}") for phase in PHASES}
    return {phase: seconds for phase, seconds in found.items() if seconds is not None}


def short(phase: str) -> str:
    return phase.replace("_actor", "").replace("_", " ")


def screen(view: View, columns: int) -> Panel:
    """Never wider than the terminal."""
    width = min(columns, WIDEST)
    inner = width - BORDER
    parts: list[RenderableType] = [*_progress(view, inner), Text(), _curves(view, inner)]
    if view.metrics:
        parts += [Text(), *_phases(view.metrics, inner), *_load(view.metrics)]
    for alarm in view.alarms:
        parts += [Text(), Text(f"alarm: {alarm.text}", style="bold yellow")]
    return Panel(Group(*parts), title=view.title, title_align="left", width=width)


def _progress(view: View, width: int) -> list[Text]:
    steps = f"step {view.step}/{view.steps or '?'}  "
    eta = f"  eta {view.eta}"
    room = max(width - len(steps) - len(eta), 0)
    full = room * view.step // view.steps if view.steps else 0
    bar = Text.assemble(steps, ("━" * full, "green"), ("─" * (room - full), "dim"), eta)
    doing = Text(f"{view.doing}, {clock(view.since_step_s)}", style="dim", overflow="ellipsis")
    doing.no_wrap = True
    return [bar, doing]


def _curves(view: View, width: int) -> Table:
    names = max(len(name) for name in view.curves)
    table = Table.grid(padding=(0, 2))
    for name, history in view.curves.items():
        value = f"{view.last[name]:9.3f}" if name in view.last else f"{'-':>9}"
        line = sparkline(history, max(width - names - len(value) - 4, 1))
        table.add_row(name, value, Text(line, style="cyan"))
    return table


def _phases(metrics: Mapping[str, float], width: int) -> list[Text]:
    """A bar in which each phase has its share of the step, and what the signs stand for."""
    seconds = phase_seconds(metrics)
    total = sum(seconds.values()) or 1.0
    bar, legend, drawn, passed = Text(no_wrap=True), Text(), 0, 0.0
    for phase, took in seconds.items():
        sign, style = PHASES[phase]
        passed += took
        # To where the phase ends, so that rounding does not add up.
        columns = round(width * passed / total) - drawn
        drawn += columns
        bar.append(sign * columns, style)
        legend.append(f"{sign} ", style).append(f"{short(phase)} {took:.1f}s  ")
    legend.append(f"step {metrics['timing_s/step']:.1f}s")
    return [bar, legend]


def _load(metrics: Mapping[str, float]) -> list[Text]:
    """The engines while they generated, and the machine."""
    lines = []
    if "engine/running" in metrics:
        engines = (
            f"engines: {metrics['engine/running']:,.0f} running, "
            f"{metrics['engine/waiting']:,.0f} waiting, "
            f"KV cache {metrics['engine/kv_cache_usage']:.0%}"
        )
        if preemptions := metrics["engine/preemptions"]:
            engines += f", {preemptions:,.0f} put back for want of it"
        lines.append(Text(engines, style="dim"))
    parts = [f"{metrics['perf/throughput']:,.0f} tok/s a device"]
    memory = [v for name, v in metrics.items() if name.startswith("perf/peak_memory_gib/")]
    if memory:
        parts.append(f"memory {sum(memory):.1f} GiB, {len(memory)} processes")
    if "perf/disk_free_frac" in metrics:
        parts.append(f"disk {metrics['perf/disk_free_frac']:.0%} free")
    return [*lines, Text("   ".join(parts), style="dim")]
