"""Where the time of a step goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class PhaseTimer:
    """with timer("gen"): ...  adds to the seconds of a phase; the clock of the step runs from the
    timer's making to the last call of seconds()."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._phases: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._phases[phase] = self._phases.get(phase, 0.0) + time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        """Phase -> seconds, and "step" for all of it."""
        return {**self._phases, "step": time.perf_counter() - self._start}
