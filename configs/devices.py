"""What computing devices can do, for the plan's estimates. Datasheet numbers are peaks; how much of
a peak is reached is an assumption of its own, named as such."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU, or one CPU core."""

    memory_gib: float
    """Memory that programs can use; 0 for a CPU core, which shares the host's."""
    bfloat16: float
    """Peak FLOP/s of dense matrix products in bfloat16."""
    float32: float
    """The same in float32 (on GPUs TF32 is off)."""
    bandwidth: float
    """Peak bytes/s between the device and its memory."""
    link: float
    """Bytes/s in one direction to another device of the node."""
    train_share: float
    """Share of the peak reached by forward and backward passes over packed rows."""
    decode_share: float
    """Share of the bandwidth reached while decoding."""
    step_overhead_s: float
    """Of one decoding step, whatever the batch: scheduling, kernel launches, sampling."""
    token_overhead_s: float
    """Of one token of one sequence: bookkeeping and sampling in Python."""


def _gpu(
    memory_gib: float, bfloat16: float, float32: float, bandwidth: float, link: float
) -> Device:
    # Shares and overheads are assumptions: 0.35 is what well-tuned dense training reports in
    # bfloat16 on long rows; 0.6 and 8 ms leave room for a scheduler that runs in step.
    return Device(memory_gib, bfloat16, float32, bandwidth, link, 0.35, 0.6, 8e-3, 5e-6)


DEVICES: dict[str, Device] = {
    # NVIDIA datasheets, SXM modules, dense (not sparse) rates. About 1 GiB of the nominal memory
    # is taken by the driver (assumption).
    "a100_40": _gpu(39.0, 312e12, 19.5e12, 1.555e12, 300e9),
    "a100_80": _gpu(79.0, 312e12, 19.5e12, 2.039e12, 300e9),
    "h100_80": _gpu(79.0, 989e12, 67e12, 3.35e12, 450e9),
    # The H800 is an H100 with slower links: 160 GB/s are reached (arXiv 2412.19437, section 3.2.2).
    "h800_80": _gpu(79.0, 989e12, 67e12, 3.35e12, 160e9),
    "h200_141": _gpu(139.0, 989e12, 67e12, 4.8e12, 450e9),
    # Reached, not peak, per core; measured on 2 cores with AVX-512 on 2026-11-22: SmolLM2-135M
    # updates at 240 GFLOP/s in bfloat16, the nano model at a quarter of that in float32 and samples
    # at most 8,000 tokens/s. Bandwidth and link are assumptions.
    "cpu": Device(0.0, 120e9, 30e9, 10e9, 5e9, 1.0, 1.0, 8e-3, 1.2e-4),
}
"""cluster.device_kind -> what it can do."""

NETWORK = 50e9
"""Bytes/s per device between nodes: 400 Gbit/s InfiniBand (arXiv 2412.19437, section 3.2.2)."""
ALL_REDUCE_S = {"within": 15e-6, "between": 40e-6}
"""Latency of one small all-reduce within a node and between nodes; assumption."""
