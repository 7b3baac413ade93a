"""Weights from the learner to every sampler, and the proof that they arrived.

consumes  chunks of the learner's weights, as object refs (zero-copy on one node)
produces  samplers with the new version, verified by the canary
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from launch.cluster import wait_all
from launch.learner_group import LearnerGroup
from rollout.canary import Canary


class RayPublisher:
    """The Publisher protocol over learner and sampler actors."""

    def __init__(
        self,
        learner: LearnerGroup,
        samplers: Sequence[Any],
        canary: Canary,
        timeout_s: float,
    ) -> None:
        self._learner = learner
        self._samplers = samplers
        self._canary = canary
        self._names = [f"sampler {index}" for index in range(len(samplers))]
        self._timeout_s = timeout_s

    def publish(self, version: int) -> Mapping[str, float]:
        start = time.perf_counter()
        self._each("begin_update")
        for chunk in self._learner.export():
            self._each("receive", chunk)
        self._each("finish_update", version)
        transferred = time.perf_counter()
        gap = self._check(version)
        return {
            "sync/canary_gap": gap,
            "sync/transfer_s": transferred - start,
            "sync/canary_s": time.perf_counter() - transferred,
        }

    def _each(self, method: str, *arguments: Any) -> list[Any]:
        """Call one method of every sampler and wait for all."""
        refs = [getattr(sampler, method).remote(*arguments) for sampler in self._samplers]
        return wait_all(
            refs, what=f"weight update ({method})", names=self._names, timeout_s=self._timeout_s
        )
