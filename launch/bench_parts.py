"""The parts of a step in processes of their own: as many, with as many threads and with the same
priority as in a run, without Ray. Samplers generate what the run generated; learner ranks replay
its journal."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.schema import RlConfig
from launch.child import die_with
from launch.cluster import free_port
from launch.workers import threads_per_process, worker_environment

RAY_NICENESS = 15
"""Priority that Ray gives its workers; others on the machine would disturb the parts less."""


@dataclass(frozen=True, slots=True)
class Alone:
    """One part in processes of its own."""

    seconds: list[float]
    """Of the slowest process in each measured step."""
    memory_gib: float
    """Largest resident memory of one process."""


def in_own_processes(
    part: Callable[..., None], config: RlConfig, role: str, processes: int
) -> Alone:
    """Run part(config, index, address, sender) in processes set up like the actors of that role."""
    context = multiprocessing.get_context("spawn")
    address = f"127.0.0.1:{free_port('127.0.0.1')}"
    receivers, running = [], []
    kept = dict(os.environ)
    for index in range(processes):
        os.environ.update(worker_environment(config, role, index, processes))
        receiver, sender = context.Pipe(duplex=False)
        arguments = (part, os.getpid(), config, index, address, sender)
        process = context.Process(target=_ending_with_the_bench, args=arguments)
        process.start()
        sender.close()
        receivers.append(receiver)
        running.append(process)
        os.environ.clear()
        os.environ.update(kept)
    results = [receiver.recv() for receiver in receivers]
    for process in running:
        process.join()
    slowest = [max(seconds) for seconds in zip(*(result[0] for result in results), strict=True)]
    return Alone(slowest, max(result[1] for result in results))


def _ending_with_the_bench(part: Callable[..., None], bench: int, *arguments: Any) -> None:
    die_with(bench)
    part(*arguments)


def samplers_alone(config: RlConfig, index: int, _address: str, sender: Any) -> None:
    """Sampler number index of a run, on its own."""
    from launch.rollouts import requests_for
    from launch.training import base_model, longest_sequence
    from recipes.datasets import load_prompts, prompts_for_step
    from rl.loop import sampling_settings
    from rollout.tokens import load_tokenizer
    from rollout.vllm_sampler import VllmSampler

    os.nice(RAY_NICENESS)
    folder = base_model(config)
    prompts = load_prompts(config.data, load_tokenizer(folder))
    samplers = config.rollout.samplers
    sampler = VllmSampler(
        folder,
        config.rollout,
        device=config.cluster.device,
        max_model_len=longest_sequence(config, [*prompts.train, *prompts.heldout]),
        threads=threads_per_process(config, samplers),
        seed=config.seed,
        deterministic=config.deterministic,
    )
    seconds = []
    for step in range(config.recipe.steps):
        wanted = prompts_for_step(prompts.train, config.rollout.prompts_per_step, step, config.seed)
        requests = requests_for(
            wanted[index::samplers],
            config.rollout.samples_per_prompt,
            config.seed,
            ("rollout", step),
        )
        start = time.perf_counter()
        for _ in sampler.generate(requests, sampling_settings(config, 0)):
            pass
        seconds.append(time.perf_counter() - start)
    sender.send((seconds[1:], _peak_memory_gib()))


def learner_alone(config: RlConfig, rank: int, address: str, sender: Any) -> None:
    """Rank number rank of a run's learner, with the other ranks but without samplers."""
    from launch.training import base_model
    from model.learner import DeepSpeedLearner
    from rl.loop import train
    from rl.protocols import LoopState
    from rollout.journal import Journal

    os.nice(RAY_NICENESS)
    learner = DeepSpeedLearner(
        base_model(config),
        config.learner,
        config.algorithm,
        rank=rank,
        address=address,
        threads=threads_per_process(config, config.learner.ranks),
        deterministic=config.deterministic,
        temperature=config.rollout.temperature,
    )
    replay = _Replay(Journal(Path(config.run_dir) / "journal"), learner, rank, config.learner.ranks)
    train(
        config,
        LoopState(0, 0),
        prompts_for=lambda step: (),
        rollouts=replay,
        learner=replay,
        publisher=replay,
        observer=replay,
    )
    sender.send((replay.seconds[1:], _peak_memory_gib()))
    learner.close()


class _Replay:
    """The outside world of the loop, with one rank of the learner in this process and rollouts
    from disk. Every rank runs the loop and takes its own rows."""

    def __init__(self, journal: Any, learner: Any, rank: int, num_ranks: int) -> None:
        self._journal = journal
        self._learner = learner
        self._rank = rank
        self.num_ranks = num_ranks
        self.seconds: list[float] = []

    def is_begun(self, step: int, prompts: Any) -> bool:
        return True

    def begin(self, step: int, prompts: Any, sampling: Any) -> None:
        raise AssertionError("everything is in the journal")

    def collect(self, step: int, prompts: Any, sampling: Any) -> list[Any]:
        return [group for wave in self._journal.read(step).values() for group in wave]

    def publish(self, version: int) -> Mapping[str, float]:
        raise AssertionError("everything is in the journal")

    def log_probs(self, rows: Any, policy: Any) -> list[Any]:
        from torch import distributed

        results: list[Any] = [None] * self.num_ranks
        distributed.all_gather_object(results, self._learner.log_probs(rows[self._rank], policy))
        return results

    def updates(self, mini_batches: Any) -> list[Mapping[str, float]]:
        metrics = [self._learner.update(rows[self._rank], rate) for rows, rate in mini_batches]
        self._learner.return_memory()
        return metrics

    def refresh_reference(self) -> None:
        self._learner.refresh_reference()

    def step_finished(self, result: Any) -> None:
        metrics = result.metrics
        self.seconds.append(metrics.get("timing_s/ref", 0.0) + metrics["timing_s/update_actor"])


def _peak_memory_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
