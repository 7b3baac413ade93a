"""Looks at a run from inside: tells of alarms when they begin, and of steps that do not end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from launch.alarms import WINDOW, Alarm, Line, alarms, stall_limit_s, stalled


class Watch:
    """Given every step; `tell` hears of an alarm once, when it begins, and of a stalled step from
    a thread of its own, since the driver then waits in the middle of the step."""

    def __init__(self, history: Sequence[Line], tell: Callable[[Alarm], None]) -> None:
        """history: the steps of earlier attempts, of whose alarms nobody need hear again."""
        self._history: list[Line] = []
        for line in history:
            self._remember(line)
        self._tell = tell
        self.alarms = alarms(self._history)
        """What is wrong now."""
        self.late_after_s: float | None = None
        """Seconds after the last step from which the next one is late."""
        self._timer: threading.Timer | None = None

    def step(self, line: Line) -> None:
        """A step has finished; another one follows."""
        self._remember(line)
        before = {alarm.name for alarm in self.alarms}
        self.alarms = alarms(self._history)
        for alarm in self.alarms:
            if alarm.name not in before:
                self._tell(alarm)
        self._expect_step()

    def stop(self) -> None:
        """No further step follows."""
        self.late_after_s = None
        if self._timer:
            self._timer.cancel()

    def _expect_step(self) -> None:
        self.stop()
        self.late_after_s = limit_s = stall_limit_s(self._history)
        if limit_s is not None:
            self._timer = threading.Timer(limit_s, lambda: self._tell(stalled(limit_s)))
            self._timer.daemon = True
            self._timer.start()

    def _remember(self, line: Line) -> None:
        """Only the two ends, which is all that alarms look at."""
        self._history.append(line)
        if len(self._history) > 2 * WINDOW:
            del self._history[WINDOW]
