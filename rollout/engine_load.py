"""How busy the samplers' engines were, and the metrics made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class EngineLoad:
    """Of one engine in one call, taken after each of its steps."""

    steps: int = 0
    running_sum: int = 0
    """Sequences decoded at the same time, summed over the steps."""
    most_waiting: int = 0
    """Requests without a place: the most at once."""
    kv_cache_usage: float = 0.0
    """Largest share of the KV cache in use."""
    preemptions: int = 0
    """Times a sequence lost its place in the KV cache, to be computed again later."""

    def add(self, running: int, waiting: int, kv_cache_usage: float, preempted: int) -> None:
        self.steps += 1
        self.running_sum += running
        self.most_waiting = max(self.most_waiting, waiting)
        self.kv_cache_usage = max(self.kv_cache_usage, kv_cache_usage)
        self.preemptions += preempted


def load_metrics(loads: Sequence[EngineLoad]) -> dict[str, float]:
    """Over all engines and calls of a step: the mean number running in one engine, the worst
    engine's waiting requests and KV cache, all preemptions. Empty when nothing was generated."""
    steps = sum(load.steps for load in loads)
    if not steps:
        return {}
    return {
        "engine/running": sum(load.running_sum for load in loads) / steps,
        "engine/waiting": float(max(load.most_waiting for load in loads)),
        "engine/kv_cache_usage": max(load.kv_cache_usage for load in loads),
        "engine/preemptions": float(sum(load.preemptions for load in loads)),
    }
