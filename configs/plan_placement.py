"""Which process is on which machine and GPU: learner ranks and samplers take turns on the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from configs.plan_work import Work


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """One GPU."""

    index: int
    learner_rank: int | None
    sampler: int | None


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One machine."""

    index: int
    cpu_processes: dict[str, int]
    """Kind -> how many that use no GPU; on the CPU these are all."""
    devices: tuple[DevicePlan, ...]


def placement(work: Work) -> Iterator[NodePlan]:
    """Learner rank i has GPU i and sampler j the GPUs from j x tensor_parallel on, counted through
    all machines; driver and reward actors are on the first machine."""
    shared = {"driver": 1, "reward actor": work.reward_workers}
    samplers = work.rollout.samplers if work.rollout else 0
    if not work.gpu:
        shared |= {"learner rank": work.learner.ranks, "sampler": samplers}
        yield NodePlan(0, {kind: count for kind, count in shared.items() if count}, ())
        return
    width = work.rollout.tensor_parallel if work.rollout else 1
    for node in range(work.cluster.nodes):
        first = node * work.cluster.devices_per_node
        devices = tuple(
            DevicePlan(
                index=index,
                learner_rank=first + index if first + index < work.learner.ranks else None,
                sampler=(first + index) // width if (first + index) // width < samplers else None,
            )
            for index in range(work.cluster.devices_per_node)
        )
        here = {kind: count for kind, count in shared.items() if count and node == 0}
        yield NodePlan(node, here, devices)
