"""How weights get from the learner into the samplers: object store on the CPU, NCCL or IPC on GPUs.

Whichever it is, afterwards every sampler computes with the learner's weights and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs.schema import RlConfig
from launch.learner_group import LearnerGroup

if TYPE_CHECKING:  # it imports Ray, which must find its token first
    from launch.sampler_group import SamplerGroup


class ObjectStoreTransfer:
    """Chunks of weights through Ray's object store: without a copy on one node, over the network
    to others."""

    def __init__(self, learner: LearnerGroup) -> None:
        self._learner = learner

    def __call__(self, version: int, samplers: SamplerGroup) -> None:
        samplers.each("begin_update")
        for chunk in self._learner.export():
            samplers.each("receive", chunk)
        samplers.each("finish_update", version)


class DeviceTransfer:
    """vLLM's own engines between GPUs; rank 0 of the learner drives the samplers, all of them."""

    def __init__(self, learner: LearnerGroup, samplers: SamplerGroup, config: RlConfig) -> None:
        self._learner = learner
        rollout = config.rollout
        learner.connect_samplers(samplers.actors, rollout.transfer, rollout.tensor_parallel)

    def __call__(self, version: int, samplers: SamplerGroup) -> None:
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
