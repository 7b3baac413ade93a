"""What a person sees while a run goes on: a live screen on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from launch.alarms import Alarm

SPARK = "▁▂▃▄▅▆▇█"
PHASES = ("sync", "gen", "old_log_prob", "ref", "data", "update_actor")
RL_CURVES = {
    "reward": "critic/score/mean",
    "accuracy": "reward/accuracy/mean",
    "format": "reward/format/mean",
    "length": "response_length/mean",
}
REWARD_MODEL_CURVES = {
    "loss": "actor/loss",
    "accuracy": "judged/accuracy",
    "held-out accuracy": "heldout/accuracy",
}
SFT_CURVES = {"loss": "actor/loss", "held-out loss": "heldout/loss"}


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


def phase_times(metrics: Mapping[str, float]) -> str:
    return "  ".join(
        f"{phase.replace('_actor', '')} {metrics[f'timing_s/{phase}']:.1f}s"
        for phase in PHASES
        if f"timing_s/{phase}" in metrics
    )


class RunConsole:
    """Use as a context manager around a run."""

    def __init__(
        self,
        title: str,
        total_steps: int,
        console: Console | None = None,
        *,
        curves: Mapping[str, str] = RL_CURVES,
    ) -> None:
        """total_steps: 0 when it is not known yet. curves: name -> metric to show."""
        self.total_steps = total_steps
        self._console = console or Console()
        self._title = title
        self._curves = curves
        self._history: dict[str, list[float]] = {name: [] for name in curves}
        self._last: Mapping[str, float] = {}
        self._step = 0
        self._seconds_per_step: list[float] = []
        self._last_time = time.monotonic()
        self._live: Live | None = None
        self._doing = "starting"
        self._alarms: Sequence[Alarm] = ()

    def __enter__(self) -> RunConsole:
        if self._console.is_terminal:
            self._live = Live(self._screen(), console=self._console, refresh_per_second=4)
            self._live.start()
        else:
            self._console.print(self._title)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def doing(self, what: str) -> None:
        """Say what is going on outside the steps."""
        self._doing = what
        if self._live:
            self._live.update(self._screen())
        else:
            self._console.print(what, highlight=False)

    def pretraining(self, step: int, steps: int, loss: float) -> None:
        """Progress of the base model's pre-training."""
        if self._live or step % 50 == 0 or step == steps:
            self.doing(f"pre-training the base model: step {step}/{steps}, loss {loss:.3f}")

    def steps_begin(self, step: int) -> None:
        """`step` steps are done; time from here on counts as steps."""
        self._step = step
        self._last_time = time.monotonic()

    def alarm(self, alarm: Alarm) -> None:
        """An alarm that has just begun; the live screen shows it until the next step is over."""
        if self._live:
            self._alarms = [*self._alarms, alarm]
            self._live.update(self._screen())
        else:
            self._console.print(f"alarm: {alarm.text}", highlight=False, soft_wrap=True)

    def step(self, step: int, metrics: Mapping[str, float], alarms: Sequence[Alarm] = ()) -> None:
        """Show a finished step, and what is wrong after it."""
        self._alarms = alarms
        now = time.monotonic()
        self._seconds_per_step.append(now - self._last_time)
        self._last_time, self._step, self._last = now, step, metrics
        self._doing = "training"
        for name, key in self._curves.items():
            if key in metrics:
                self._history[name].append(metrics[key])
        if self._live:
            self._live.update(self._screen())
        else:
            self._console.print(self._line(), highlight=False, soft_wrap=True)

    def _eta(self) -> str:
        recent = self._seconds_per_step[-8:]
        if not recent:
            return "-"
        return clock(sum(recent) / len(recent) * (self.total_steps - self._step))

    def _line(self) -> str:
        m = self._last
        # A step without any verdict has no reward to show.
        values = "  ".join(f"{name} {m[key]:.3f}" for name, key in self._curves.items() if key in m)
        return (
            f"step {self._step:>4}/{self.total_steps}  {values}  "
            f"{m['perf/throughput']:,.0f} tok/s  {phase_times(m)}  eta {self._eta()}"
        )

    def _screen(self) -> Panel:
        bar = Table.grid(padding=(0, 2))
        bar.add_row(
            f"step {self._step}/{self.total_steps}",
            ProgressBar(total=self.total_steps, completed=self._step, width=40),
            f"eta {self._eta()}",
            Text(self._doing, style="dim"),
        )
        curves = Table.grid(padding=(0, 2))
        for name, key in self._curves.items():
            value = f"{self._last[key]:.3f}" if key in self._last else "-"
            curves.add_row(name, value, Text(sparkline(self._history[name]), style="cyan"))
        parts: list[RenderableType] = [bar, Text(), curves]
        if self._last:
            speed = f"{self._last['perf/throughput']:,.0f} tok/s   {phase_times(self._last)}"
            parts += [Text(), Text(speed, style="dim")]
        for alarm in self._alarms:
            parts += [Text(), Text(f"alarm: {alarm.text}", style="bold yellow")]
        return Panel(Group(*parts), title=self._title, title_align="left", width=100)
