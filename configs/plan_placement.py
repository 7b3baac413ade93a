"""Which process is on which machine and GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from configs.clusters import ClusterSettings
from configs.pipeline import EvaluationConfig, StageConfig
from configs.plan_work import Work, work_of
from configs.schema import SampledDataConfig


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


def sampler_device(cluster: ClusterSettings, sampler: int, width: int, ranks: int) -> int:
    """The first GPU of a sampler, counted through all machines. width: rollout.tensor_parallel;
    ranks: of the learner. In a split the engines begin at a multiple of their width, so that none
    that fits on a machine lies across two."""
    first = 0 if cluster.placement == "colocated" else -(-ranks // width) * width
    return first + sampler * width


def node_of_sampler(cluster: ClusterSettings, sampler: int, width: int, ranks: int) -> int:
    """Where a sampler is: on the machine of its first GPU; on CPUs they go round from the last
    machine on, away from the learner."""
    if cluster.device == "cuda":
        return sampler_device(cluster, sampler, width, ranks) // cluster.devices_per_node
    return (cluster.nodes - 1 - sampler) % cluster.nodes


def reward_model_nodes(work: Work) -> list[int]:
    """Where each reward model is: beside a rank of the learner."""
    last = work.learner.ranks - 1
    return [node_of_rank(work.cluster, min(i, last)) for i in range(len(work.reward_models))]


def actors_of_a_run(config: StageConfig) -> int:
    """The largest number on one machine; where Ray chooses the machine, all of them."""
    if isinstance(config, EvaluationConfig):
        return config.engine.samplers
    if isinstance(config, SampledDataConfig):
        return config.rollout.samplers + config.reward.workers
    work = work_of(config)
    counts = Counter({0: work.reward_workers})
    counts.update(reward_model_nodes(work))
    counts.update(node_of_rank(work.cluster, rank) for rank in range(work.learner.ranks))
    if rollout := work.rollout:
        counts.update(
            node_of_sampler(work.cluster, j, rollout.tensor_parallel, work.learner.ranks)
            for j in range(rollout.samplers)
        )
    return max(counts.values())


def placement(work: Work) -> Iterator[NodePlan]:
    """Learner rank i has GPU i and sampler j those from sampler_device on; driver and reward actors
    are on the first machine."""
    shared = {"driver": 1, "reward actor": work.reward_workers}
    samplers = work.rollout.samplers if work.rollout else 0
    width = work.rollout.tensor_parallel if work.rollout else 1
    for node in range(work.cluster.nodes):
        here = dict(shared) if node == 0 else {}
        if not work.gpu:
            ranks = [node_of_rank(work.cluster, i) for i in range(work.learner.ranks)]
            engines = [
                node_of_sampler(work.cluster, j, width, work.learner.ranks) for j in range(samplers)
            ]
            here |= {"learner rank": ranks.count(node), "sampler": engines.count(node)}
            here["reward model"] = reward_model_nodes(work).count(node)
        devices = _devices(work, node, samplers, width) if work.gpu else ()
        yield NodePlan(node, {kind: count for kind, count in here.items() if count}, devices)


def _devices(work: Work, node: int, samplers: int, width: int) -> tuple[DevicePlan, ...]:
    ranks = work.learner.ranks
    first = node * work.cluster.devices_per_node
    sampler_of = {
        sampler_device(work.cluster, sampler, width, ranks) + offset: sampler
        for sampler in range(samplers)
        for offset in range(width)
    }
    return tuple(
        DevicePlan(
            index=index,
            learner_rank=first + index if first + index < ranks else None,
            sampler=sampler_of.get(first + index),
        )
        for index in range(work.cluster.devices_per_node)
    )
