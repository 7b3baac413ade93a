"""The processes of a run: how many, with which threads and devices, started side by side."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from configs.plan_placement import node_of_rank, node_of_sampler, sampler_device
from configs.schema import RlConfig, RunConfig
from launch.actors import InferenceActor, LearnerActor, RewardActor, SamplerActor
from launch.cluster import WorkerLost, ray_nodes, start_ray, stop_ray, this_node, wait_all
from launch.learner_group import LearnerGroup
from launch.run_folder import write_atomically
from launch.sampler_group import SamplerGroup
from model.host_memory import LEARNER_ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Workers:
    """Everything that computes, started and ready."""

    learner: LearnerGroup
    samplers: SamplerGroup
    scorers: list[Any]
    raters: Mapping[str, Any]
    """Setting -> the actor with its reward model; empty without general prompts."""
    processes: dict[str, int]
    """Name -> process id, of those on the driver's node; the driver's too."""

    def peak_memory(self) -> dict[str, float]:
        """Metric name -> largest resident memory so far in GiB, of the processes on this node."""
        found = {}
        for name, pid in self.processes.items():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it died, which the next call to it finds out
            for line in status.splitlines():
                if line.startswith("VmHWM:"):  # not there for a process that is just ending
                    key = f"perf/peak_memory_gib/{name.replace(' ', '_')}"
                    found[key] = int(line.split()[1]) / 2**20
        return found


@contextmanager
def start_workers(
    config: RunConfig, model_path: Path, max_tokens: int, log_dir: Path
) -> Iterator[Workers]:
    """All actors of the run on a Ray cluster of its own; stopped on the way out.

    max_tokens: the longest prompt and completion together.
    """
    others = sum(samplers_and_scorers(config)) + len(reward_models(config))
    start_ray(config.learner.ranks + others)
    try:
        nodes = ray_nodes(config.cluster.nodes, config.cluster.start_timeout_s)
        yield _start_actors(config, str(model_path), max_tokens, log_dir, nodes)
    finally:
        stop_ray()


def _start_actors(
    config: RunConfig, model_path: str, max_tokens: int, log_dir: Path, nodes: Sequence[str]
) -> Workers:
    """nodes: Ray's ids of the machines, the driver's first."""
    ranks = config.learner.ranks
    samplers, scorers = samplers_and_scorers(config)
    starter = SamplerStarter(config, model_path, max_tokens, log_dir, nodes)

    def options(role: str, index: int, processes: int) -> dict[str, Any]:
        variables = worker_environment(config, role, index, processes)
        return {"runtime_env": {"env_vars": variables}} | _on(nodes[node_of(config, role, index)])

    def log_file(name: str) -> str:
        return str(log_dir / f"{name}.log")

    learner_actors = [
        LearnerActor.options(**options("learner", i, ranks)).remote(log_file(f"learner-{i}"))
        for i in range(ranks)
    ]
    sampler_actors = [starter.actor(index) for index in range(samplers)]
    models = reward_models(config)
    raters = {
        setting: InferenceActor.options(**options("learner", min(i, ranks - 1), 1)).remote(
            log_file(f"inference-{i}")
        )
        for i, setting in enumerate(models)
    }
    reward_actors = [
        RewardActor.options(**_on(nodes[0])).remote(log_file(f"reward-{i}"), config)
        for i in range(scorers)
    ]
    timeout_s = config.cluster.start_timeout_s
    (address,) = wait_all(
        [learner_actors[0].meeting_point.remote(config.cluster.rendezvous_port)],
        what="start",
        names=["learner rank 0"],
        timeout_s=timeout_s,
    )
    starting = [
        actor.start.remote(
            model_path,
            config,
            rank=rank,
            address=address,
            max_tokens=max_tokens,
            threads=threads_per_process(config, ranks),
        )
        for rank, actor in enumerate(learner_actors)
    ]
    starting += [starter.start(actor) for actor in sampler_actors]
    names = [f"learner rank {i}" for i in range(ranks)] + [f"sampler {i}" for i in range(samplers)]
    for setting, actor in raters.items():
        folder, objective = models[setting]
        threads = threads_per_process(config, 1)
        starting.append(actor.start.remote(folder, setting, objective, config, threads=threads))
    names += list(raters)
    wait_all(starting, what="start", names=names, timeout_s=timeout_s)
    names += [f"reward actor {i}" for i in range(scorers)]
    actors = [*learner_actors, *sampler_actors, *raters.values(), *reward_actors]
    pids = wait_all(
        [actor.process_id.remote() for actor in actors],
        what="start",
        names=names,
        timeout_s=timeout_s,
    )
    processes = {"driver": os.getpid(), **dict(zip(names, pids, strict=True))}
    write_atomically(log_dir / "processes.json", json.dumps(processes, indent=2))
    places = [node_of(config, "learner", i) for i in range(ranks)]
    places += [node_of(config, "sampler", i) for i in range(samplers)]
    places += [node_of(config, "learner", min(i, ranks - 1)) for i in range(len(raters))]
    places += [0] * scorers
    here = {
        name: pid
        for name, pid, node in zip(names, pids, places, strict=True)
        if nodes[node] == this_node()
    }
    running = {"driver": os.getpid(), **here}

    def restart(index: int) -> Any:
        actor = starter.again(index)
        name = f"sampler {index}"
        calls = [actor.process_id.remote()]
        (processes[name],) = wait_all(calls, what="start", names=[name], timeout_s=timeout_s)
        write_atomically(log_dir / "processes.json", json.dumps(processes, indent=2))
        if name in running:
            running[name] = processes[name]
        return actor

    return Workers(
        learner=LearnerGroup(learner_actors, config.cluster.step_timeout_s),
        samplers=SamplerGroup(sampler_actors, config.cluster.step_timeout_s, restart),
        scorers=reward_actors,
        raters=raters,
        processes=running,
    )


def start_samplers(
    config: RlConfig, model_path: Path, max_model_len: int, log_dir: Path
) -> SamplerGroup:
    """The samplers of config.rollout on a cluster that is there, without a learner."""
    nodes = ray_nodes(config.cluster.nodes, config.cluster.start_timeout_s)
    starter = SamplerStarter(config, str(model_path), max_model_len, log_dir, nodes)
    actors = [starter.actor(index) for index in range(config.rollout.samplers)]
    starting = [starter.start(actor) for actor in actors]
    names = [f"sampler {index}" for index in range(len(actors))]
    wait_all(starting, what="start", names=names, timeout_s=config.cluster.start_timeout_s)
    return SamplerGroup(actors, config.cluster.step_timeout_s, starter.again)


@dataclass(frozen=True, slots=True)
class SamplerStarter:
    """Starts the samplers of a run, all of them at first and one again that has died."""

    config: RunConfig
    model_path: str
    max_model_len: int
    log_dir: Path
    nodes: Sequence[str]
    """Ray's ids of the machines, the driver's first."""

    def actor(self, index: int) -> Any:
        """Its process, with nothing in it yet."""
        count, _ = samplers_and_scorers(self.config)
        variables = worker_environment(self.config, "sampler", index, count)
        return SamplerActor.options(
            runtime_env={"env_vars": variables}, **_on(self._node(index))
        ).remote(str(self.log_dir / f"sampler-{index}.log"))

    def start(self, actor: Any) -> Any:
        """Begin to load the engine; the reference of the call's end."""
        count, _ = samplers_and_scorers(self.config)
        return actor.start.remote(
            self.model_path,
            self.config,
            max_model_len=self.max_model_len,
            threads=threads_per_process(self.config, count),
        )

    def again(self, index: int) -> Any:
        """A new one in the place of one that has died, ready, with the weights of the model's
        folder. Raises WorkerLost where that cannot be."""
        name = f"sampler {index}"
        if self.config.cluster.device != "cpu":
            raise WorkerLost(f"{name} died, and weights between GPUs need all who began together")
        if not any(node["NodeID"] == self._node(index) and node["Alive"] for node in ray.nodes()):
            raise WorkerLost(f"{name} died with its node")
        actor = self.actor(index)
        timeout_s = self.config.cluster.start_timeout_s
        wait_all([self.start(actor)], what="start", names=[name], timeout_s=timeout_s)
        return actor

    def _node(self, index: int) -> str:
        return self.nodes[node_of(self.config, "sampler", index)]


def samplers_and_scorers(config: RunConfig) -> tuple[int, int]:
    """How many of each kind there are; fine-tuning needs none."""
    if isinstance(config, RlConfig):
        return config.rollout.samplers, config.reward.workers
    return 0, 0


def reward_models(config: RunConfig) -> dict[str, tuple[str, str]]:
    """Setting -> folder and objective of the reward models that a run asks."""
    if not isinstance(config, RlConfig) or not config.data.general:
        return {}
    return {
        "reward.helpful_model": (config.reward.helpful_model, "pairwise"),
        "reward.safety_model": (config.reward.safety_model, "pointwise"),
    }


def _on(node: str) -> dict[str, Any]:
    """The option of an actor that puts it on a node."""
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


def node_of(config: RunConfig, role: str, index: int) -> int:
    """Number of the machine of a learner rank or a sampler."""
    if role == "learner":
        return node_of_rank(config.cluster, index)
    return node_of_sampler(config.cluster, index, _width(config, role), config.learner.ranks)


def _width(config: RunConfig, role: str) -> int:
    """GPUs of one process."""
    if role == "sampler" and isinstance(config, RlConfig):
        return config.rollout.tensor_parallel
    return 1


def threads_per_process(config: RunConfig, processes: int) -> int:
    """Phases take turns, so each kind of process may use all threads, shared among those of its own
    kind on a machine."""
    on_a_node = -(-processes // config.cluster.nodes)
    return max(1, (config.cluster.threads or os.cpu_count() or 1) // on_a_node)


def worker_environment(config: RunConfig, role: str, index: int, processes: int) -> dict[str, str]:
    """Environment variables of one actor; Ray would otherwise allow it one thread.

    On GPUs, learner rank i has GPU i, counted through all machines, and a sampler those from
    configs.plan_placement.sampler_device on.
    """
    threads = str(threads_per_process(config, processes))
    variables = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    if config.cluster.device == "cpu":
        kept = LEARNER_ENVIRONMENT if role == "learner" else {}
        return variables | kept | {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    width = _width(config, role)
    first = index
    if role == "sampler":
        first = sampler_device(config.cluster, index, width, config.learner.ranks)
    first -= node_of(config, role, index) * config.cluster.devices_per_node
    if config.deterministic:
        # Read by transformers at each call; otherwise gradients are summed in any order.
        variables["FLASH_ATTENTION_DETERMINISTIC"] = "1"
    return variables | {
        "CUDA_VISIBLE_DEVICES": ",".join(str(first + offset) for offset in range(width)),
        "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1",
    }
