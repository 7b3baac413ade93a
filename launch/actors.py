"""Ray actors: thin wrappers that put the classes of model/, rollout/ and rewards/ into processes.

Heavy libraries are imported in start(), so that the driver stays light, the actors start side by
side, and an error at the start arrives as itself.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import ray

from configs.schema import RewardModelConfig, RlConfig, RunConfig
from launch.cluster import free_port
from rewards.preference import Exchange
from rl.judged import JudgedRow
from rl.protocols import Policy
from rl.records import Completion, GenerationRequest, Prompt, Row, SamplingSettings, Score
from rollout.canary import Canary, CanaryReading
from rollout.engine_load import EngineLoad

Transfer = Literal["nccl", "ipc"]

BATCH_INTERVAL_S = 0.25
"""Finished completions leave a sampler in batches at most this far apart: soon enough for rewards
to overlap with generation, seldom enough that Ray's work on each batch does not slow the engine."""
CHUNK_BYTES = 64 * 2**20
"""Weights travel in chunks of at most this size, so that no process holds a second copy."""


class _Worker:
    """What every actor has: a log file of its own and a process id to be known by."""

    def __init__(self, log_file: str) -> None:
        descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, sys.stdout.fileno())
        os.dup2(descriptor, sys.stderr.fileno())

    def process_id(self) -> int:
        return os.getpid()


@ray.remote(num_cpus=1)
class SamplerActor(_Worker):
    """One vLLM engine."""

    def start(self, model_path: str, config: RlConfig, *, max_model_len: int, threads: int) -> None:
        from rollout.vllm_sampler import VllmSampler

        self._sampler = VllmSampler(
            Path(model_path),
            config.rollout,
            device=config.cluster.device,
            max_model_len=max_model_len,
            threads=threads,
            seed=config.seed,
            deterministic=config.deterministic,
        )

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: SamplingSettings
    ) -> Iterator[list[Completion]]:
        """Batches of completions as they finish."""
        batch: list[Completion] = []
        sent = time.monotonic()
        for completion in self._sampler.generate(requests, sampling):
            batch.append(completion)
            if time.monotonic() - sent > BATCH_INTERVAL_S:
                yield batch
                batch, sent = [], time.monotonic()
        if batch:
            yield batch

    def load(self) -> EngineLoad:
        """Of the last generate."""
        return self._sampler.load

    def prime(self, canary: Canary) -> None:
        canary.prime(self._sampler)

    def read(self, canary: Canary) -> CanaryReading:
        return canary.read(self._sampler)

    def init_transfer(self, init_info: dict[str, Any]) -> None:
        self._sampler.init_transfer(init_info)

    def sleep(self) -> None:
        self._sampler.sleep()

    def wake(self) -> None:
        self._sampler.wake()

    def begin_update(self, _: None = None) -> None:
        self._sampler.begin_update()

    def receive(self, chunk: Any) -> None:
        self._sampler.receive(chunk)

    def finish_update(self, version: int) -> None:
        self._sampler.finish_update(version)


@ray.remote(num_cpus=1)
class LearnerActor(_Worker):
    """One rank of the learner."""

    def meeting_point(self, port: int) -> str:
        """host:port where the ranks can meet; port 0: any free one."""
        host = ray.util.get_node_ip_address()
        return f"{host}:{free_port(host, port)}"

    def start(
        self,
        model_path: str,
        config: RunConfig,
        *,
        rank: int,
        address: str,
        max_tokens: int,
        threads: int,
    ) -> None:
        from model.learner import DeepSpeedLearner
        from model.reward_learner import DeepSpeedRewardLearner

        self._rank = rank
        algorithm, temperature = None, 1.0
        if isinstance(config, RlConfig):
            algorithm, temperature = config.algorithm, config.rollout.temperature
        rewards = isinstance(config, RewardModelConfig)
        self._learner = (DeepSpeedRewardLearner if rewards else DeepSpeedLearner)(
            Path(model_path),
            config.learner,
            algorithm,
            rank=rank,
            address=address,
            max_tokens=max_tokens,
            temperature=temperature,
            device=config.cluster.device,
            threads=threads,
            deterministic=config.deterministic,
        )

    def update(self, rows: Sequence[Any], learning_rate: float) -> Mapping[str, float]:
        return self._learner.update(rows, learning_rate)

    def return_memory(self) -> None:
        self._learner.return_memory()

    def log_probs(
        self, rows: Sequence[Row], policy: Policy, temperature: float | None = None
    ) -> list[Any]:
        return self._learner.log_probs(rows, policy, temperature)

    def scores(self, rows: Sequence[JudgedRow]) -> list[Any]:
        from model.reward_learner import DeepSpeedRewardLearner

        assert isinstance(self._learner, DeepSpeedRewardLearner), "no reward model in training"
        return self._learner.scores(rows)

    def refresh_reference(self) -> None:
        self._learner.refresh_reference()

    def export(self) -> Iterator[Any]:
        """Chunks of the policy's weights under their Hugging Face names."""
        from rollout.weight_transfer import encode_chunks

        yield from encode_chunks(self._learner.export(), CHUNK_BYTES)

    def connect_samplers(
        self, samplers: Sequence[Any], transfer: Transfer, tensor_parallel: int, address: str
    ) -> None:
        """Meet the samplers for transfers between GPUs; this rank's calls drive them if it is 0."""
        from rollout.gpu_transfer import ExportSource, SamplerClient, connect

        def call(method: str, arguments: Sequence[Any]) -> None:
            handles = zip(samplers, arguments, strict=True)
            ray.get([getattr(sampler, method).remote(argument) for sampler, argument in handles])

        host, port = address.rsplit(":", 1)
        self._client = SamplerClient(call, len(samplers), tensor_parallel)
        self._sender = connect(
            transfer,
            rank=self._rank,
            address=(host, int(port)),
            num_workers=len(samplers) * tensor_parallel,
            client=self._client,
            source=ExportSource(partial(self._learner.export, everywhere=transfer == "ipc")),
        )

    def send_weights(self, version: int) -> None:
        self._client.version = version
        self._sender.send_weights()

    def offload(self) -> None:
        self._learner.offload()

    def reload(self) -> None:
        self._learner.reload()

    def join_export(self) -> None:
        """Take part in the gathering of an export that rank 0 sends."""
        for _ in self._learner.export():
            pass

    def save_model(self, folder: str) -> None:
        self._learner.save_model(Path(folder))

    def save(self, folder: str) -> None:
        self._learner.save(Path(folder))

    def load(self, folder: str) -> None:
        self._learner.load(Path(folder))


@ray.remote(num_cpus=1)
class InferenceActor(_Worker):
    """One reward model, forward only: the HelpfulnessModel and SafetyModel protocols."""

    def start(
        self, folder: str, setting: str, objective: str, config: RlConfig, *, threads: int
    ) -> None:
        import torch

        from model.reward_inference import RewardInference
        from recipes.reward_folder import read_facts
        from recipes.reward_tokens import RewardEncoder
        from rollout.tokens import end_token_ids, load_tokenizer

        path = Path(folder).expanduser()
        self._facts = read_facts(path, setting, objective)
        self._encoder = RewardEncoder(load_tokenizer(path), end_token_ids(path))
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(config.deterministic)
        self._model = RewardInference(
            path,
            config.learner.dtype,
            device=config.cluster.device,
            row_tokens=config.learner.row_tokens,
        )
        self._offloads = config.learner.offload
        if self._offloads:
            self._model.offload()

    def rate(self, exchanges: Sequence[Exchange]) -> list[float]:
        """One reward per exchange. On shared devices the model is there for this call alone."""
        if self._offloads:
            self._model.reload()
        ids = [self._encoder.encode(each.prompt, each.response) for each in exchanges]
        rewards = [self._facts.reward(score) for score in self._model.scores(ids)]
        if self._offloads:
            self._model.offload()
        return rewards


# Scoring has no state: a reward actor that dies is started again and its work repeated.
@ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)
class RewardActor(_Worker):
    """One process that scores completions, with the sandbox and math workers under it."""

    def __init__(self, log_file: str, config: RlConfig) -> None:
        super().__init__(log_file)
        from rewards.scoring import Scorer

        self._scorer = Scorer(config.reward)

    def score(
        self, completions: Sequence[Completion], prompts: Mapping[str, Prompt], max_tokens: int
    ) -> list[Score]:
        return self._scorer.score_all(completions, prompts, max_tokens)
