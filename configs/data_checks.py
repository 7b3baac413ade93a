"""Rules over several settings of the runs that make data; configs/checks.py runs them.

Each returns one line (setting, value, what is allowed, what to do) or None.
"""

from __future__ import annotations

from collections.abc import Callable

from configs.schema import NanoData, SampledDataConfig


def tensor_parallel_needs_gpus(config: SampledDataConfig) -> str | None:
    if config.cluster.device == "cuda" or config.rollout.tensor_parallel == 1:
        return None
    return (
        f"rollout.tensor_parallel={config.rollout.tensor_parallel}: needs cluster.device=cuda; on "
        "the CPU it is 1, and rollout.samplers adds engines"
    )


def rule_is_the_nano_worlds(config: SampledDataConfig) -> str | None:
    if config.recipe.rewriter.by != "rule" or isinstance(config.data, NanoData):
        return None
    return (
        f"recipe.rewriter.by=rule: is for data=nano, not data.kind={config.data.kind}; leave it out"
    )


DATA_MAKING_CHECKS: list[Callable[[SampledDataConfig], str | None]] = [
    tensor_parallel_needs_gpus,
    rule_is_the_nano_worlds,
]
