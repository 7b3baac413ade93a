"""How weights get from the learner into the samplers: object store on the CPU, NCCL or IPC on GPUs.

Whichever it is, afterwards every sampler computes with the learner's weights and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from configs.schema import RlConfig
from launch.cluster import wait_all
from launch.learner_group import LearnerGroup


class SamplerGroup:
    """All sampler actors: one call to each, wait for all."""

    def __init__(self, samplers: Sequence[Any], timeout_s: float) -> None:
        self._samplers = samplers
        self._names = [f"sampler {index}" for index in range(len(samplers))]
        self._timeout_s = timeout_s

    def each(self, method: str, *arguments: Any) -> list[Any]:
        refs = [getattr(sampler, method).remote(*arguments) for sampler in self._samplers]
        return wait_all(refs, what=method, names=self._names, timeout_s=self._timeout_s)


class ObjectStoreTransfer:
    """Chunks of weights through Ray's object store: without a copy on one node, over the network
    to others."""

    def __init__(self, learner: LearnerGroup, samplers: SamplerGroup) -> None:
        self._learner = learner
        self._samplers = samplers

    def __call__(self, version: int) -> None:
        self._samplers.each("begin_update")
        for chunk in self._learner.export():
            self._samplers.each("receive", chunk)
        self._samplers.each("finish_update", version)


class DeviceTransfer:
    """vLLM's own engines between GPUs; rank 0 of the learner drives the samplers."""

    def __init__(self, learner: LearnerGroup, samplers: Sequence[Any], config: RlConfig) -> None:
        self._learner = learner
        learner.connect_samplers(samplers, config.rollout.transfer, config.rollout.tensor_parallel)

    def __call__(self, version: int) -> None:
        self._learner.send_weights(version)


class Turns:
    """Who has the memory of colocated GPUs: the samplers sleep while the learner works, and the
    learner moves to host memory while they generate. Does nothing unless learner.offload is set."""

    def __init__(self, learner: LearnerGroup, samplers: SamplerGroup, offload: bool) -> None:
        self._learner = learner
        self._samplers = samplers
        self._offload = offload
        self._learner_here = self._samplers_awake = True

    def everybody(self) -> None:
        """For a transfer of weights, which needs both."""
        self._wake()
        self._reload()

    def samplers(self) -> None:
        self._wake()
        if self._offload and self._learner_here:
            self._learner.offload()
            self._learner_here = False

    def reward_models(self) -> None:
        """After samplers(): the learner is still away."""
        if self._offload and self._samplers_awake:
            self._samplers.each("sleep")
            self._samplers_awake = False

    def learner(self) -> None:
        self.reward_models()
        self._reload()

    def _wake(self) -> None:
        if not self._samplers_awake:
            self._samplers.each("wake")
            self._samplers_awake = True

    def _reload(self) -> None:
        if not self._learner_here:
            self._learner.reload()
            self._learner_here = True
