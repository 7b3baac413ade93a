"""Memory of each kind of process while training and while generating, part by part.

The parts follow what the programs allocate: model/engine.py (DeepSpeed), model/head.py,
model/reference.py, model/offload.py and rollout/vllm_settings.py. Pure arithmetic over settings and
a ModelShape; nothing is imported that computes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.devices import DEVICES, GIB
from configs.plan_work import Work, counted
from configs.shape import ModelShape, read_facts, shape_from_facts

BYTES = {"float32": 4, "bfloat16": 2}

Where = Literal["device", "host"]
Phase = Literal["train", "generate"]
PHASES: dict[Phase, str] = {"train": "training", "generate": "generating"}

DRIVER_GIB = {"nano": 0.75, "folder": 0.6}
"""Driver, by kind of model: resident memory of its libraries, with those that build the nano model.
This and the next four were measured in runs on 2 CPU cores on 2026-11-28."""
LEARNER_GIB = 0.56
REWARD_GIB = 0.3
RATER_GIB = 0.46
"""The process of a reward model."""
SAMPLER_GIB = 1.1
"""Between 1.0 after the first step and 1.3 after fifty."""

HEAP_SHARE = 1.5
"""On the CPU: memory that the process takes for activations per byte in use, because freed blocks
stay in its heap. Measured on SmolLM2-135M on 2026-11-22: 1.2 GiB for 0.83 GiB."""
LONGEST_PLAIN = 512
"""On the CPU, bfloat16 samples up to this length have their attention scores in memory
(model/attention.py)."""

CUDA_CONTEXT_GIB = 1.0
"""A process on a GPU: CUDA context, NCCL and library buffers; assumption."""
ASLEEP_GIB = 1.5
"""A sampler that sleeps: context and captured graphs; assumption."""
ENGINE_GIB = 2.0
"""A sampler's activations and captured graphs, on each GPU; assumption."""
REDUCE_BUCKET = 500_000_000
"""Gradient elements reduced at once (model/engine.py)."""
ZERO3_LIVE = 1_000_000_000
"""Parameters that ZeRO-3 keeps gathered (DeepSpeed's stage3_max_live_parameters)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a process's memory."""

    name: str
    train: int
    """Bytes at the worst moment of reference pass and updates."""
    generate: int
    """Bytes while samplers generate."""
    formula: str
    where: Where = "device"
    """On the CPU both are the same memory."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """All processes of one kind have the same."""

    name: str
    count: int
    parts: tuple[Part, ...]

    def total(self, phase: Phase, where: Where) -> int:
        parts = [part for part in self.parts if part.where == where]
        return sum(part.train if phase == "train" else part.generate for part in parts)


def process_memory(work: Work, shape: ModelShape) -> tuple[ProcessMemory, ...]:
    """Driver, learner rank, sampler, reward actor and reward model, as far as the run has them."""
    host: Where = "host" if work.gpu else "device"
    driver = _always("libraries", DRIVER_GIB[work.model_kind] * GIB, "measured", host)
    processes = [
        ProcessMemory("driver", 1, (driver,)),
        ProcessMemory("learner rank", work.learner.ranks, tuple(learner_parts(work, shape))),
    ]
    if work.rollout is not None:
        parts = tuple(sampler_parts(work, shape))
        processes.append(ProcessMemory("sampler", work.rollout.samplers, parts))
    if work.reward_workers:
        reward = _always("libraries", REWARD_GIB * GIB, "measured", host)
        processes.append(ProcessMemory("reward actor", work.reward_workers, (reward,)))
    if work.reward_models:
        parts = tuple(reward_model_parts(work, shape))
        processes.append(ProcessMemory("reward model", len(work.reward_models), parts))
    return tuple(processes)


def reward_model_parts(work: Work, shape: ModelShape) -> Iterable[Part]:
    """One reward model, whole. It rates between generation and training; with learner.offload it is
    on its GPU for that alone."""
    parameters, size = reward_model_parameters(work, shape), BYTES[work.learner.dtype]
    formula = f"{size} bytes x {counted(parameters)}"
    if work.gpu:
        yield _always("context", CUDA_CONTEXT_GIB * GIB, "CUDA, assumed")
    yield _always("libraries", RATER_GIB * GIB, "measured", "host" if work.gpu else "device")
    where: Where = "host" if work.offload else "device"
    yield _always("weights", size * parameters, formula, where)


def reward_model_parameters(work: Work, shape: ModelShape) -> int:
    """Of the largest one; of the policy, which the paper's are made from, where none is there."""
    folders = [Path(folder).expanduser() for folder in work.reward_models]
    there = [folder for folder in folders if (folder / "config.json").is_file()]
    shapes = [shape_from_facts(read_facts(folder)) or shape for folder in there]
    return max((each.parameters for each in shapes), default=shape.parameters)


def learner_parts(work: Work, shape: ModelShape) -> Iterable[Part]:
    """One rank: what stays, what the worst moment adds, and what moves to the host."""
    learner, size = work.learner, BYTES[work.learner.dtype]
    held = Held(work, shape)
    if work.gpu:
        yield _always("context", CUDA_CONTEXT_GIB * GIB, "CUDA and NCCL, assumed")
        yield _always("libraries", LEARNER_GIB * GIB, "measured", "host")
    else:
        yield _always("libraries", LEARNER_GIB * GIB, "measured")
    states = [
        ("weights", size * held.by(3), f"{size} bytes x {held.said(3)}"),
        ("master weights", 4 * held.by(1), f"4 bytes x {held.said(1)}"),
        ("optimizer states", 8 * held.by(1), f"AdamW: 8 bytes x {held.said(1)}"),
    ]
    for name, amount, formula in states:
        yield from _kept(work, name, amount, formula)
    yield from _gradient_parts(work, held)
    if work.reference:
        formula = f"{size} bytes x {held.said(3)}, a copy in host memory"
        yield _always(
            "reference policy", size * held.by(3), formula, "host" if work.gpu else "device"
        )
    if learner.zero_stage == 3:
        live = min(held.local, max(ZERO3_LIVE, held.largest_unit))
        yield Part("ZeRO-3 gathers", size * live, 0, f"{size} bytes x {counted(live)} at once")
    yield from _activation_parts(work, shape)


class Held:
    """How many parameters a rank holds of something that a ZeRO stage shards.

    Experts are dealt out over learner.expert_parallel ranks first; then the ranks with the same
    experts, or all ranks for everything else, share what the stage shards.
    """

    def __init__(self, work: Work, shape: ModelShape) -> None:
        self._ranks, self._expert = work.learner.ranks, work.learner.expert_parallel
        self._stage = max(work.learner.zero_stage, 1)  # ZeRO 0 runs as ZeRO 1
        self._shape = shape
        self.local = shape.parameters - shape.routed + shape.routed // self._expert
        """Parameters of a rank when nothing else is sharded."""
        self.largest_unit = shape.largest_unit
        if shape.experts:
            self.largest_unit += shape.routed // shape.routed_layers // self._expert

    def by(self, stage: int) -> int:
        if self._stage < stage:
            return self.local
        return -(-self._shape.parameters // self._ranks)

    def said(self, stage: int) -> str:
        if self._stage >= stage and self._ranks > 1:
            return f"{counted(self._shape.parameters)} / {self._ranks} ranks"
        return counted(self.local)

    @property
    def stage(self) -> int:
        return self._stage


def _gradient_parts(work: Work, held: Held) -> Iterable[Part]:
    """ZeRO 1 in bfloat16 keeps a float32 sum of all gradients beside the last backward pass's own;
    in float32 it has all and its shard; 2 and 3 have the shard and reduce the rest in a bucket.
    From one update to the next only ZeRO 1 in bfloat16 and ZeRO 3 keep theirs."""
    size = BYTES[work.learner.dtype]
    if held.stage == 1 and size == 2:
        formula = f"4 bytes x {counted(held.local)}, float32 sum"
        yield from _kept(work, "gradients", 4 * held.local, formula)
        formula = f"2 bytes x {counted(held.local)}, of one backward pass"
        yield Part("gradients, bfloat16", 2 * held.local, 0, formula)
        return
    shard = 4 * held.by(2) if held.stage > 1 else 4 * (held.local + held.by(1))
    said = held.said(2) if held.stage > 1 else f"({counted(held.local)} + {held.said(1)})"
    bucket = min(held.local, REDUCE_BUCKET)
    for name, amount, formula in [
        ("gradients", shard, f"4 bytes x {said}"),
        ("reduce bucket", 4 * bucket, f"4 bytes x {counted(bucket)}"),
    ]:
        if held.stage == 3:
            yield from _kept(work, name, amount, formula)
        else:
            yield Part(name, amount, 0, formula)


def _kept(work: Work, name: str, amount: int, formula: str) -> Iterable[Part]:
    """What the learner keeps from one update to the next, and learner.offload moves to the host
    while samplers generate."""
    yield Part(name, amount, 0 if work.offload else amount, formula)
    if work.offload:
        yield Part(f"{name}, moved", 0, amount, "learner.offload", "host")


def _activation_parts(work: Work, shape: ModelShape) -> Iterable[Part]:
    learner, size = work.learner, BYTES[work.learner.dtype]
    tokens = learner.row_tokens * learner.rows_per_micro_batch
    heap = 1.0 if work.gpu else HEAP_SHARE
    layer = layer_activation_bytes(work, shape)
    kept = shape.layers * layer
    said = f"{shape.layers} layers x {layer:,} bytes"
    if learner.gradient_checkpointing:
        kept = shape.layers * size * shape.hidden + layer
        said = f"({shape.layers} layers x {size * shape.hidden:,} bytes + {layer:,} of one layer)"
    heap_said = "" if work.gpu else f" x {HEAP_SHARE} heap"
    formula = f"{tokens:,} tokens x {said}{heap_said}"
    yield Part("activations", round(tokens * kept * heap), 0, formula)
    if learner.share_prefixes and work.rollout is not None:
        # Attention works on whole samples: the row's only prompt is there once per completion.
        completions = (tokens - work.longest_prompt) // work.longest_completion
        again = (completions - 1) * work.longest_prompt
        layers = 1 if learner.gradient_checkpointing else shape.layers
        attention = layers * attention_activation_bytes(work, shape)
        formula = f"{again:,} tokens x {attention:,} bytes of attention{heap_said}"
        yield Part("shared prompts", round(again * attention * heap), 0, formula)
    # The widest moment inside a layer: the gradients of the MLP's four tensors and of the states
    # sent to routed experts. The head's own memory is gone by then, but is added all the same.
    block = size * (4 * shape.mlp + shape.experts_per_token * shape.hidden)
    formula = f"{tokens:,} tokens x {block:,} bytes, gradients inside one layer{heap_said}"
    yield Part("backward pass", round(tokens * block * heap), 0, formula)
    chunk = min(tokens, learner.log_prob_chunk_tokens)
    logits = 8 * chunk * shape.vocabulary
    yield Part("logits chunk", logits, 0, f"2 x 4 bytes x {chunk:,} tokens x {shape.vocabulary:,}")
    # The head's gradient is summed in float32 over the chunks, then cast.
    formula = f"{4 + size} bytes x {shape.vocabulary:,} x {shape.hidden:,}"
    yield Part("head gradient", (4 + size) * shape.embedding, 0, formula)


def layer_activation_bytes(work: Work, shape: ModelShape) -> int:
    """Bytes per token that one layer keeps for its backward pass, as transformers computes it.

    Each of two norms keeps its input in float32 and two results; attention keeps queries, keys,
    values and its output; the MLP keeps gate, its activation, up and their product; routed experts
    keep a copy of the token's state per expert, before and after; the low-rank paths keep what a
    norm keeps. On the CPU in bfloat16 short samples keep their attention scores.
    """
    size = BYTES[work.learner.dtype]
    norm = 4 + 2 * size
    amount = norm * (2 * shape.hidden + shape.latent)
    amount += attention_activation_bytes(work, shape)
    amount += size * 4 * shape.mlp
    amount += size * 2 * shape.experts_per_token * shape.hidden
    return amount


def attention_activation_bytes(work: Work, shape: ModelShape) -> int:
    """The share of attention itself in layer_activation_bytes."""
    size = BYTES[work.learner.dtype]
    amount = size * (2 * shape.query + 2 * shape.value)
    if not work.gpu and size == 2:
        amount += size * shape.heads * min(work.longest_tokens, LONGEST_PLAIN)
    return amount


def sampler_parts(work: Work, shape: ModelShape) -> Iterable[Part]:
    """One engine; on GPUs, on each of its devices."""
    rollout = work.rollout
    assert rollout is not None
    size = BYTES[rollout.dtype]
    if not work.gpu:
        yield _always("libraries", SAMPLER_GIB * GIB, "measured")
        formula = f"2 x {size} bytes x {counted(shape.parameters)}: as loaded and as packed"
        yield _always("weights", 2 * size * shape.parameters, formula)
        yield _always("KV cache", rollout.kv_cache_gib * GIB, "rollout.kv_cache_gib")
        return
    weights = size * shape.parameters // rollout.tensor_parallel
    taken = round(rollout.gpu_memory_fraction * DEVICES[work.device_kind].memory_gib * GIB)
    engine = round(ENGINE_GIB * GIB)
    formula = f"{size} bytes x {counted(shape.parameters)} / {rollout.tensor_parallel} GPUs"
    yield Part("weights", 0, weights, formula)
    yield Part("engine", 0, engine, "activations and graphs, assumed")
    formula = f"the rest of rollout.gpu_memory_fraction={rollout.gpu_memory_fraction:g}"
    yield Part("KV cache", 0, max(0, taken - weights - engine), formula)
    yield Part("asleep", round(ASLEEP_GIB * GIB), 0, "context and graphs, assumed")
    yield _always("libraries", SAMPLER_GIB * GIB, "measured", "host")


def cache_bytes_per_token(work: Work, shape: ModelShape) -> int:
    """Of one sequence on one device. Latent caches are not split by tensor parallelism, and on the
    CPU they are kept as ordinary keys and values (rollout/vllm_settings.py)."""
    rollout = work.rollout
    assert rollout is not None
    size = BYTES[rollout.dtype] * shape.layers
    if shape.latent:
        return size * (shape.cache if work.gpu else 2 * shape.query)
    return size * shape.cache // rollout.tensor_parallel


def _always(name: str, amount: float, formula: str, where: Where = "device") -> Part:
    return Part(name, round(amount), round(amount), formula, where)
