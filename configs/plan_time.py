"""Seconds per step, phase by phase: a roofline with stated shares, not a simulation.

Legend of comments: L tokens of a sample, b sequences decoded together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from configs.devices import ALL_REDUCE_S, DEVICES, NETWORK
from configs.plan_memory import BYTES, cache_bytes_per_token, process_memory
from configs.plan_work import Work
from configs.shape import ModelShape

CANARY_S = 0.5
"""Comparing sampler and learner after a transfer; measured on the nano model, 2026-11-22."""
HOST_LINK = 25e9
"""Bytes/s between a GPU and its host, PCIe 4 with 16 lanes; assumption."""
ADAM_BYTES = 28
"""Read and written per parameter and update: two moments, master weight, gradient, weight."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """Seconds of one step; rewards are scored while samplers generate."""

    generate: float
    log_probs: float
    """Reference and, where the learner computes them, old log-probs."""
    update: float
    sync: float
    """Weights to the samplers, the canary, and moving the learner to the host and back."""
    ahead: bool
    """Whether samplers generate the next step while the learner works."""

    @property
    def total(self) -> float:
        learn = self.log_probs + self.update
        if self.ahead:
            return max(self.generate, learn) + self.sync
        return self.generate + learn + self.sync


def step_time(work: Work, shape: ModelShape, cores: int) -> StepTime:
    """cores: CPU cores of the phase that runs, when there is no GPU."""
    return StepTime(
        generate=generation_s(work, shape, cores, work.sequences_per_step),
        log_probs=work.forward_passes * _pass_s(work, shape, cores, work.sequences_per_step, 1),
        update=_updates_s(work, shape, cores),
        sync=_sync_s(work, shape),
        ahead=work.gpu and work.rollout is not None and work.rollout.max_staleness > 0,
    )


def run_hours(work: Work, shape: ModelShape, cores: int) -> float:
    """Wall-clock hours of all steps and evaluations; starting and checkpoints are not in it."""
    evaluation = generation_s(work, shape, cores, work.evaluation_sequences)
    seconds = work.steps * step_time(work, shape, cores).total + work.evaluations * evaluation
    return seconds / 3600


def generation_s(work: Work, shape: ModelShape, cores: int, sequences: int) -> float:
    """Until the last of so many completions is finished."""
    rollout = work.rollout
    if rollout is None or sequences == 0:
        return 0.0
    per_sampler = math.ceil(sequences / rollout.samplers)
    batch = min(per_sampler, concurrent_sequences(work, shape))
    full = _decode_step_s(work, shape, cores, batch)
    mean, longest = work.mean_completion, work.longest_completion
    throughput = per_sampler / batch * mean * full
    # The longest completion goes on when the others have finished.
    straggler = mean * full + (longest - mean) * _decode_step_s(work, shape, cores, 1)
    prompts = per_sampler / rollout.samples_per_prompt * (work.mean_tokens - mean)
    flops = 2 * shape.multiplied * prompts
    return flops / _sampler_flops(work, cores) + max(throughput, straggler)


def concurrent_sequences(work: Work, shape: ModelShape) -> int:
    """Sequences of mean length that an engine decodes together, at least one."""
    assert work.rollout is not None
    (sampler,) = (each for each in process_memory(work, shape) if each.name == "sampler")
    (cache,) = (part.generate for part in sampler.parts if part.name == "KV cache")
    fitting = int(cache / (cache_bytes_per_token(work, shape) * work.mean_tokens))
    return max(1, min(work.rollout.max_concurrent, fitting))


def _decode_step_s(work: Work, shape: ModelShape, cores: int, batch: int) -> float:
    """One token for each of b sequences: weights and caches are read once, or the products take
    longer. Of E routed experts, b tokens with k each touch 1 - (1 - k/E)^b."""
    rollout, device = work.rollout, DEVICES[work.device_kind]
    assert rollout is not None
    touched = 1.0
    if shape.experts:
        touched = 1 - (1 - shape.experts_per_token / shape.experts) ** batch
    weights = shape.multiplied - shape.routed_active + touched * shape.routed
    read = BYTES[rollout.dtype] * weights / rollout.tensor_parallel
    context = work.mean_tokens - work.mean_completion / 2
    read += batch * context * cache_bytes_per_token(work, shape)
    share = 1 if work.gpu else max(1.0, cores / rollout.samplers)
    memory_s = read / (device.bandwidth * device.decode_share * share)
    products_s = 2 * shape.multiplied * batch / _sampler_flops(work, cores)
    reduces_s = 0.0
    if rollout.tensor_parallel > 1:
        where = "within" if rollout.tensor_parallel <= work.cluster.devices_per_node else "between"
        reduces_s = 2 * shape.layers * ALL_REDUCE_S[where]
    overhead_s = device.step_overhead_s + batch * device.token_overhead_s
    return max(memory_s, products_s) + reduces_s + overhead_s


def _sampler_flops(work: Work, cores: int) -> float:
    """FLOP/s that one engine reaches."""
    assert work.rollout is not None
    devices = work.rollout.tensor_parallel if work.gpu else cores / work.rollout.samplers
    return devices * _reached(work, work.rollout.dtype)


def _reached(work: Work, dtype: str) -> float:
    device = DEVICES[work.device_kind]
    return device.train_share * (device.bfloat16 if dtype == "bfloat16" else device.float32)


def _pass_s(work: Work, shape: ModelShape, cores: int, sequences: float, passes: int) -> float:
    """So many forward passes, or their equal in work, over sequences spread over the ranks. The
    slowest rank has its share of the tokens, or the one sample that is longest."""
    ranks = work.learner.ranks
    devices = 1.0 if work.gpu else cores / ranks
    mean, longest = work.mean_tokens, work.longest_tokens
    share = sequences / ranks * mean * _flops_per_token(shape, mean)
    slowest = max(share, longest * _flops_per_token(shape, longest))
    tokens = max(sequences / ranks * mean, longest)
    compute = passes * slowest / (devices * _reached(work, work.learner.dtype))
    return compute + passes * _communication_s(work, shape, tokens)


def _flops_per_token(shape: ModelShape, length: float) -> float:
    """Forward: two per parameter, and attention to half of L tokens on average."""
    return 2 * shape.multiplied + shape.layers * length * (shape.query + shape.value)


def _communication_s(work: Work, shape: ModelShape, tokens: float) -> float:
    """Per pass of one rank, not overlapped: ZeRO-3 gathers the weights for each micro-batch; with
    expert parallelism tokens travel to their experts and back."""
    learner, size = work.learner, BYTES[work.learner.dtype]
    bandwidth, sent = _bandwidth(work), 0.0
    if learner.zero_stage == 3:
        rows = math.ceil(tokens / (learner.row_tokens * learner.rows_per_micro_batch))
        local = shape.parameters - shape.routed + shape.routed / learner.expert_parallel
        sent += rows * size * local
    if learner.expert_parallel > 1:
        layers = shape.layers if shape.experts else 0
        sent += 2 * size * tokens * layers * shape.experts_per_token * shape.hidden
    return sent / bandwidth if learner.ranks > 1 else 0.0


def _updates_s(work: Work, shape: ModelShape, cores: int) -> float:
    """Backward costs two forward passes, and one more where activations are computed again; then
    gradients are reduced and the optimiser reads its shard."""
    learner = work.learner
    sequences = work.sequences_per_step / work.updates_per_step
    passes = 4 if learner.gradient_checkpointing else 3
    update = _pass_s(work, shape, cores, sequences, passes)
    local = shape.parameters - shape.routed + shape.routed / learner.expert_parallel
    if learner.ranks > 1:
        update += 4 * local * (1 if learner.zero_stage >= 2 else 2) / _bandwidth(work)
    update += (
        ADAM_BYTES
        * shape.parameters
        / learner.ranks
        / (DEVICES[work.device_kind].bandwidth * DEVICES[work.device_kind].decode_share)
    )
    return work.updates_per_step * update


def _bandwidth(work: Work) -> float:
    """Bytes/s of one rank to the others."""
    spread = work.gpu and work.learner.ranks > work.cluster.devices_per_node
    return NETWORK if spread else DEVICES[work.device_kind].link


def _sync_s(work: Work, shape: ModelShape) -> float:
    """Rank 0 sends the whole model once; offloaded states go to the host and back."""
    if work.rollout is None:
        return 0.0
    seconds = CANARY_S + BYTES[work.learner.dtype] * shape.parameters / _bandwidth(work)
    learner = process_memory(work, shape)[1]
    moved = sum(part.generate for part in learner.parts if part.name.endswith(", moved"))
    return seconds + 2 * moved / HOST_LINK
