"""The plans that tests work out by hand."""

from __future__ import annotations

from functools import cache

from configs.compose import load_config
from configs.plan import model_facts_of
from configs.plan_memory import Part, ProcessMemory, Where, process_memory
from configs.plan_work import Work, work_of
from configs.shape import ModelShape, shape_from_facts

GIB = 2**30
GSM8K = ["data=gsm8k", "data.path=train.jsonl"]
QWEN_7B = [
    *["model=qwen2_5_7b", "cluster=8x80", *GSM8K, "learner.ranks=8", "rollout.samplers=8"],
    *["learner.zero_stage=3", "learner.gradient_checkpointing=true"],
]
QWEN_32B = [
    *["model=qwen2_5_32b", "cluster=4x8x80", *GSM8K, "learner.ranks=32", "rollout.samplers=8"],
    *["rollout.tensor_parallel=4", "learner.zero_stage=3", "learner.gradient_checkpointing=true"],
]
DEEPSEEK_V3 = [
    *["model=deepseek_v3", "cluster=64x8_h800", *GSM8K, "learner.ranks=512"],
    *["learner.expert_parallel=64", "rollout.samplers=16", "rollout.tensor_parallel=32"],
    *["learner.zero_stage=3", "learner.gradient_checkpointing=true"],
    *["rollout.max_tokens=16384", "learner.row_tokens=16896"],
]


@cache
def planned(*words: str) -> tuple[Work, ModelShape]:
    config = load_config(words)
    facts = model_facts_of(config.model)
    assert facts is not None
    shape = shape_from_facts(facts)
    assert shape is not None
    return work_of(config), shape


def processes(*words: str) -> dict[str, ProcessMemory]:
    return {process.name: process for process in process_memory(*planned(*words))}


def parts(process: ProcessMemory, where: Where = "device") -> dict[str, Part]:
    return {part.name: part for part in process.parts if part.where == where}
