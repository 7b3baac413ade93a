"""Every setting of an evaluation, typed and strict; defaults are the paper's set-up.

arXiv 2501.12948v2, section D.1: sampling at temperature 0.6 and top-p 0.95, at most 32,768 tokens,
64 samples per problem for AIME and GPQA, 16 for MATH and Codeforces, 8 for LiveCodeBench. Greedy
decoding is avoided, because it repeats itself and varies from checkpoint to checkpoint.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from configs.clusters import LocalCluster
from configs.errors import UserError
from configs.rewards import CodeSettings
from configs.schema import Cluster
from configs.settings import NonNegative, Positive, Settings


class EvalDataSettings(Settings):
    """Where the problems come from."""

    path: str = ""
    """A .jsonl or .parquet file with the benchmark's columns, when one benchmark is evaluated;
    empty: data.folder."""
    folder: str = "benchmarks"
    """Holds NAME.jsonl or NAME.parquet for each benchmark; one without a file there is read from
    the Hugging Face hub."""
    problems: NonNegative = 0
    """Only the first so many problems of each benchmark; 0: all."""


class EngineSettings(Settings):
    """The engines that sample."""

    samplers: Positive = 1
    """Engines; the problems are dealt out to them in order."""
    tensor_parallel: Positive = 1
    """GPUs per engine."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Of the engine's weights and activations."""
    kv_cache_gib: Annotated[float, Field(gt=0.0)] = 1.0
    """Memory for the KV cache of an engine on the CPU."""
    gpu_memory_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """Share of a GPU's memory an engine may take."""
    max_concurrent: Positive = 256
    """Sequences an engine decodes at the same time."""
    wave_samples: NonNegative = 2048
    """Samples generated and kept together, in whole problems: what an interruption costs at most.
    More keeps engines full while the longest answers end; 0: a benchmark at once."""


class EvalConfig(Settings):
    """One evaluation of one model, whole."""

    run_dir: str
    """Everything the evaluation writes. The same command on the same folder continues it."""
    model: str
    """The model's folder: config.json, safetensors weights and the tokenizer."""
    benchmark: str
    """Names of benchmarks, separated by commas."""
    samples: NonNegative = 0
    """Samples per problem; 0: the paper's number for each benchmark."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.6
    """Of sampling; 0 is greedy."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """Nucleus sampling; 1: off."""
    max_tokens: Positive = 32768
    """Length cap of a completion. One that reaches it is scored on what it has."""
    template: Literal["chat", "r1_zero"] = "chat"
    """chat: the tokenizer's chat template, without a system prompt; r1_zero: the paper's Table 1,
    for base models and R1-Zero."""
    seed: NonNegative = 0
    """Of sampling. The same seed gives the same samples and scores."""
    deterministic: bool = True
    """Same bits on every run and after every restart, at some cost in speed."""
    data: EvalDataSettings = EvalDataSettings()
    engine: EngineSettings = EngineSettings()
    code: CodeSettings = CodeSettings()
    cluster: Cluster = LocalCluster()

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The names, each once, in the order given."""
        names = (name.strip() for name in self.benchmark.split(","))
        return tuple(dict.fromkeys(name for name in names if name))


def check_eval(config: EvalConfig) -> None:
    """Rules over several settings and the model's folder; every broken one is named, in a line."""
    checks = (_model_is_complete, _positions_suffice, _device_fits, _one_file, _run_dir_is_writable)
    problems = [problem for check in checks if (problem := check(config)) is not None]
    if problems:
        raise UserError("\n".join(problems))


def max_positions(model: Path) -> int | None:
    """The longest sequence the model was made for; None when its config.json does not say."""
    entries = json.loads((model / "config.json").read_text())
    return entries.get("max_position_embeddings")


def _model_is_complete(config: EvalConfig) -> str | None:
    folder = Path(config.model).expanduser()
    if not folder.is_dir():
        return f"{config.model}: no such folder; name a Hugging Face model folder on this machine"
    for pattern, what in (
        ("config.json", "config.json"),
        ("*.safetensors", "weights (*.safetensors)"),
        ("tokenizer_config.json", "tokenizer (tokenizer_config.json)"),
    ):
        if not any(folder.glob(pattern)):
            final = folder / "final"
            remedy = f"name {final}" if (final / "config.json").is_file() else "name another folder"
            return f"{config.model}: no {what} in it; a model folder is needed: {remedy}"
    return None


def _positions_suffice(config: EvalConfig) -> str | None:
    folder = Path(config.model).expanduser()
    positions = max_positions(folder) if (folder / "config.json").is_file() else None
    if positions is None or config.max_tokens < positions:
        return None
    return (
        f"max_tokens={config.max_tokens}: must be below the {positions} positions of the model "
        f"(max_position_embeddings in its config.json), to leave room for the problem; lower it"
    )


def _device_fits(config: EvalConfig) -> str | None:
    if config.cluster.device == "cuda" or config.engine.tensor_parallel == 1:
        return None
    return (
        f"engine.tensor_parallel={config.engine.tensor_parallel}: needs cluster.device=cuda; on "
        "the CPU it is 1, and engine.samplers adds engines"
    )


def _one_file(config: EvalConfig) -> str | None:
    if not config.data.path or len(config.benchmarks) == 1:
        return None
    return (
        f"data.path={config.data.path}: is the file of one benchmark, and benchmark names "
        f"{len(config.benchmarks)}; evaluate them one by one, or put NAME.jsonl files into "
        f"data.folder={config.data.folder}"
    )


def _run_dir_is_writable(config: EvalConfig) -> str | None:
    folder = Path(config.run_dir).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        return f"run_dir={config.run_dir}: is a file; name a folder"
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if os.access(existing, os.W_OK | os.X_OK):
        return None
    return f"run_dir={config.run_dir}: cannot be written ({existing}); choose another folder"
