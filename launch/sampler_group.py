"""All samplers of a run: one call to each, and a new process in the place of one that has died."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import GetTimeoutError

from launch.cluster import WorkerLost, wait_all
from launch.deaths import DEATHS
from rollout.engine_load import EngineLoad

logger = logging.getLogger(__name__)


class SamplerGroup:
    """The driver's handle on the sampler actors."""

    def __init__(
        self, actors: Sequence[Any], timeout_s: float, start: Callable[[int], Any] | None = None
    ) -> None:
        """start: a new and ready sampler for this place, or raises WorkerLost; None: nobody is
        replaced."""
        self.actors = list(actors)
        self._timeout_s = timeout_s
        self._start = start

    def __len__(self) -> int:
        return len(self.actors)

    def each(self, method: str, *arguments: Any) -> list[Any]:
        refs = [getattr(sampler, method).remote(*arguments) for sampler in self.actors]
        names = [f"sampler {index}" for index in range(len(self))]
        return wait_all(refs, what=method, names=names, timeout_s=self._timeout_s)

    def loads(self) -> list[EngineLoad]:
        """Of the last generate of each; the publisher finds out about one that has died."""
        found = []
        for index, call in enumerate([sampler.load.remote() for sampler in self.actors]):
            with suppress(*DEATHS):
                found.append(self._answer(index, call))
        return found

    def only(self, index: int) -> SamplerGroup:
        """One of them, for a call that the others have had."""
        return SamplerGroup([self.actors[index]], self._timeout_s)

    def replace(self, index: int) -> None:
        """Start this one again; it then has the weights that the run began with."""
        if self._start is None:
            raise WorkerLost(f"sampler {index} died")
        logger.warning("sampler %d died; a new one is started in its place", index)
        self.actors[index] = self._start(index)

    def replace_the_dead(self) -> None:
        """Those that have died since they were last called."""
        calls = [sampler.process_id.remote() for sampler in self.actors]
        for index, call in enumerate(calls):
            try:
                self._answer(index, call)
            except DEATHS:
                self.replace(index)

    def _answer(self, index: int, call: Any) -> Any:
        """Raises one of DEATHS, to be dealt with, or WorkerLost when it is late."""
        try:
            return ray.get(call, timeout=self._timeout_s)
        except GetTimeoutError as error:
            raise WorkerLost(
                f"sampler {index} does not answer within {self._timeout_s:.0f} s"
            ) from error
