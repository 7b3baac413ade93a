"""Sampling for an evaluation: the sampler actors of a training run, without the run.

consumes  problems, in waves
produces  completions, in batches as they finish
waits for the next batch of any sampler
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayTaskError

from configs.data_sets import NanoData
from configs.evaluation import EvalConfig
from configs.rewards import RewardSettings
from configs.schema import (
    AlgorithmSettings,
    FolderModel,
    RlConfig,
    RlLearner,
    RlRecipe,
    RlTracking,
    RolloutSettings,
)
from launch.actors import CHUNK_BYTES
from launch.cluster import WorkerLost
from launch.deaths import DEATHS
from launch.rollouts import requests_for
from launch.sampler_group import SamplerGroup
from launch.workers import start_samplers
from rl.records import Completion, Prompt, SamplingSettings
from rollout.weight_transfer import checkpoint_tensors, encode_chunks

PURPOSE = ("eval", 0)
"""What the seeds are for; the problem's id names the benchmark."""


class EvalSamplers:
    """The engines. They are started when first needed, and again for a model of another shape or
    for longer sequences, so that scores do not depend on what else was evaluated. A model of the
    same shape is loaded into engines that run already, on the CPU, where that is ten times faster.
    """

    def __init__(self, config: EvalConfig, log_dir: Path) -> None:
        self._config = config
        self._log_dir = log_dir
        self._samplers = SamplerGroup([], config.cluster.step_timeout_s)
        self._model: Path | None = None
        self._max_model_len = 0
        self._loaded = 0

    def start(self, model: Path, max_model_len: int) -> None:
        """Have engines with this model for prompt and completion of at most so many tokens."""
        if (model, max_model_len) == (self._model, self._max_model_len):
            return
        if self._model and max_model_len == self._max_model_len and self._may_load(model):
            self._load(model)
        else:
            for actor in self._samplers.actors:
                ray.kill(actor)
            run = as_run_config(self._config)
            self._samplers = start_samplers(run, model, max_model_len, self._log_dir)
        self._model, self._max_model_len = model, max_model_len

    def _may_load(self, model: Path) -> bool:
        assert self._model is not None
        return self._config.cluster.device == "cpu" and same_shape(self._model, model)

    def _load(self, model: Path) -> None:
        """Every weight of the model into every engine, in the way that training publishes them."""
        samplers = self._samplers
        samplers.each("begin_update")
        for chunk in encode_chunks(checkpoint_tensors(model), CHUNK_BYTES):
            samplers.each("receive", chunk)
        self._loaded += 1
        samplers.each("finish_update", self._loaded)

    def generate(
        self,
        prompts: Sequence[Prompt],
        samples: int,
        sampling: SamplingSettings,
    ) -> Iterator[list[Completion]]:
        """Every sample of every prompt, in batches."""
        streams: dict[Any, str] = {}
        for index, actor in enumerate(self._samplers.actors):
            own = prompts[index :: len(self._samplers)]
            requests = requests_for(own, samples, self._config.seed, PURPOSE)
            if requests:
                streams[actor.generate.remote(requests, sampling)] = f"sampler {index}"
        while streams:
            stream, batch = self._next(streams)
            if batch is None:
                del streams[stream]
            else:
                yield batch

    def _next(self, streams: dict[Any, str]) -> tuple[Any, list[Completion] | None]:
        """The next batch of any sampler, None at the end of its stream."""
        timeout_s = self._config.cluster.step_timeout_s
        ready, _ = ray.wait(list(streams), num_returns=1, timeout=timeout_s)
        if not ready:
            late = ", ".join(streams.values())
            raise WorkerLost(f"generation: nothing from {late} within {timeout_s} s")
        stream: Any = ready[0]
        try:
            reference = next(stream, None)
            return stream, None if reference is None else ray.get(reference)
        except DEATHS as error:
            raise WorkerLost(f"generation: {streams[stream]} died") from error
        except RayTaskError as error:
            raise error.cause from error


def same_shape(one: Path, other: Path) -> bool:
    """Whether an engine for the one model can take the other's weights: the same configuration and
    vocabulary."""
    files = ("config.json", "tokenizer.json", "generation_config.json")
    return all(_content(one / name) == _content(other / name) for name in files)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def as_run_config(config: EvalConfig) -> RlConfig:
    """The engine's settings in the shape that sampler actors take; what concerns training is never
    looked at."""
    engine, cuda = config.engine, config.cluster.device == "cuda"
    return RlConfig(
        run_dir=config.run_dir,
        seed=config.seed,
        deterministic=config.deterministic,
        recipe=RlRecipe(),
        model=FolderModel(path=config.model),
        data=NanoData(),
        reward=RewardSettings(),
        algorithm=AlgorithmSettings(),
        rollout=RolloutSettings(
            samplers=engine.samplers,
            tensor_parallel=engine.tensor_parallel,
            dtype=engine.dtype,
            kv_cache_gib=engine.kv_cache_gib,
            gpu_memory_fraction=engine.gpu_memory_fraction,
            max_concurrent=engine.max_concurrent,
            transfer="ipc" if cuda else "ray",
        ),
        learner=RlLearner(),
        cluster=config.cluster,
        tracking=RlTracking(),
    )
