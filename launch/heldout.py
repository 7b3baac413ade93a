"""What happens around the updates of runs that learn from a data set: measures of held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from launch.record import RunRecord
from rl.protocols import LoopState, StepResult


class HeldoutObserver:
    """The Observer protocol of such a run on disk."""

    def __init__(
        self,
        measure: Callable[[LoopState], Mapping[str, float]],
        record: RunRecord,
        *,
        every: int,
        steps: int,
    ) -> None:
        """measure: metrics of the model as it is. every: updates between two measures, 0 for none
        on the way. steps: updates of the whole run, after which there always is one."""
        self._measure = measure
        self._record = record
        self._every = every
        self._steps = steps

    def step_finished(self, result: StepResult) -> None:
        state, metrics = result.state, dict(result.metrics)
        regular = self._every > 0 and state.step % self._every == 0
        if regular or state.step == self._steps:
            metrics |= self._measure(state)
        self._record.step(state, metrics)
        self._record.checkpoint(state)
