"""What a person sees while a run goes on: a live screen on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.panel import Panel

from launch.alarms import Alarm
from launch.screen import View, clock, phase_seconds, screen, short

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
REFRESH_PER_SECOND = 2


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
            # Drawn again and again by a thread of Rich's, so that time is seen to pass.
            self._live = Live(
                get_renderable=self._screen,
                console=self._console,
                refresh_per_second=REFRESH_PER_SECOND,
            )
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
        self._show(what)

    def pretraining(self, step: int, steps: int, loss: float) -> None:
        """Progress of the base model's pre-training."""
        if self._live or step % 50 == 0 or step == steps:
            self.doing(f"pre-training the base model: step {step}/{steps}, loss {loss:.3f}")

    def steps_begin(self, step: int) -> None:
        """`step` steps are done; time from here on counts as steps."""
        self._step = step
        self._last_time = time.monotonic()
        self._doing = f"training step {step + 1}"

    def alarm(self, alarm: Alarm) -> None:
        """An alarm that has just begun; the live screen shows it until the next step is over."""
        if alarm not in self._alarms:
            self._alarms = [*self._alarms, alarm]
        self._show(f"alarm: {alarm.text}")

    def step(self, step: int, metrics: Mapping[str, float], alarms: Sequence[Alarm] = ()) -> None:
        """Show a finished step, and what is wrong after it."""
        self._alarms = alarms
        now = time.monotonic()
        self._seconds_per_step.append(now - self._last_time)
        self._last_time, self._step, self._last = now, step, metrics
        self._doing = f"training step {step + 1}" if step < self.total_steps else "ending"
        for name, key in self._curves.items():
            if key in metrics:
                self._history[name].append(metrics[key])
        self._show(self._line())

    def _show(self, line: str) -> None:
        if self._live:
            self._live.refresh()
        else:
            self._console.print(line, highlight=False, soft_wrap=True)

    def _eta(self) -> str:
        recent = self._seconds_per_step[-8:]
        if not recent or not self.total_steps:
            return "-"
        return clock(sum(recent) / len(recent) * (self.total_steps - self._step))

    def _line(self) -> str:
        m = self._last
        # A step without any verdict has no reward to show.
        values = "  ".join(f"{name} {m[key]:.3f}" for name, key in self._curves.items() if key in m)
        phases = "  ".join(f"{short(name)} {s:.1f}s" for name, s in phase_seconds(m).items())
        return (
            f"step {self._step:>4}/{self.total_steps}  {values}  "
            f"{m['perf/throughput']:,.0f} tok/s  {phases}  eta {self._eta()}"
        )

    def _screen(self) -> Panel:
        view = View(
            title=self._title,
            step=self._step,
            steps=self.total_steps,
            doing=self._doing,
            since_step_s=time.monotonic() - self._last_time,
            eta=self._eta(),
            curves=self._history,
            last={name: self._last[key] for name, key in self._curves.items() if key in self._last},
            metrics=self._last,
            alarms=self._alarms,
        )
        return screen(view, self._console.width)
