"""Which process is on which machine and GPU: learner ranks and samplers take turns on the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from configs.clusters import ClusterSettings
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


def node_of_rank(cluster: ClusterSettings, rank: int) -> int:
    """Where a learner rank is: on the machine of GPU number `rank`, counted through all machines;
    on CPUs the ranks go round from the driver's machine on."""
    return rank // cluster.devices_per_node if cluster.device == "cuda" else rank % cluster.nodes


def node_of_sampler(cluster: ClusterSettings, sampler: int, width: int) -> int:
    """Where a sampler is: on the machine of GPU number sampler x width; on CPUs they go round from
    the last machine on, away from the learner. width: rollout.tensor_parallel."""
    if cluster.device == "cuda":
        return sampler * width // cluster.devices_per_node
    return (cluster.nodes - 1 - sampler) % cluster.nodes


def processes_on_a_node(work: Work) -> int:
    """The largest number of actors on one machine."""
    counts = Counter({0: work.reward_workers})
    counts.update(node_of_rank(work.cluster, rank) for rank in range(work.learner.ranks))
    if rollout := work.rollout:
        width = rollout.tensor_parallel
        counts.update(node_of_sampler(work.cluster, j, width) for j in range(rollout.samplers))
    return max(counts.values())


def placement(work: Work) -> Iterator[NodePlan]:
    """Learner rank i has GPU i and sampler j the GPUs from j x tensor_parallel on, counted through
    all machines; driver and reward actors are on the first machine."""
    shared = {"driver": 1, "reward actor": work.reward_workers}
    samplers = work.rollout.samplers if work.rollout else 0
    width = work.rollout.tensor_parallel if work.rollout else 1
    for node in range(work.cluster.nodes):
        here = dict(shared) if node == 0 else {}
        if not work.gpu:
            ranks = [node_of_rank(work.cluster, i) for i in range(work.learner.ranks)]
            engines = [node_of_sampler(work.cluster, j, width) for j in range(samplers)]
            here |= {"learner rank": ranks.count(node), "sampler": engines.count(node)}
        devices = _devices(work, node, samplers, width) if work.gpu else ()
        yield NodePlan(node, {kind: count for kind, count in here.items() if count}, devices)


def _devices(work: Work, node: int, samplers: int, width: int) -> tuple[DevicePlan, ...]:
    first = node * work.cluster.devices_per_node
    return tuple(
        DevicePlan(
            index=index,
            learner_rank=first + index if first + index < work.learner.ranks else None,
            sampler=(first + index) // width if (first + index) // width < samplers else None,
        )
        for index in range(work.cluster.devices_per_node)
    )
