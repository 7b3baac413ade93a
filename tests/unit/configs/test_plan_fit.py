"""What does not fit is refused, and what the refusal says to set makes it fit."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from configs.plan_fit import changed, demands, refusals
from tests.unit.configs.plans import DEEPSEEK_V3, GSM8K, QWEN_7B, QWEN_32B, planned


@pytest.mark.parametrize("words", [[], QWEN_7B, QWEN_32B, DEEPSEEK_V3])
def test_what_fits_is_not_refused(words: list[str]) -> None:
    assert refusals(*planned(*words), 16.0) == []


def remedies(line: str) -> list[list[str]]:
    """The settings that a refusal names, one list for each way out."""
    ways = re.search(r"\. Set (.*)$", line)
    assert ways is not None, line
    return [way.split() for way in ways.group(1).split(", or ")]


BARE_7B = ["model=qwen2_5_7b", "cluster=8x80", *GSM8K]
BARE_V3 = ["model=deepseek_v3", *GSM8K]


@pytest.mark.parametrize(
    ("words", "host_gib", "setting"),
    [
        ([], 5.0, "rollout.kv_cache_gib"),
        (["rollout.kv_cache_gib=0.0001"], 16.0, "rollout.kv_cache_gib"),
        (BARE_7B, 0.0, "learner.ranks=8"),
        ([*QWEN_7B, "learner.gradient_checkpointing=false"], 0.0, "gradient_checkpointing=true"),
        ([*QWEN_7B, "learner.offload=false", "learner.zero_stage=1"], 0.0, "learner.zero_stage"),
        ([*QWEN_7B, "learner.row_tokens=262144"], 0.0, "learner.row_tokens=33280"),
        ([*QWEN_32B, "rollout.tensor_parallel=1"], 0.0, "rollout.tensor_parallel=2"),
        ([*DEEPSEEK_V3, "rollout.max_tokens=32768", "learner.row_tokens=33280"], 0.0, "max_tokens"),
        ([*BARE_V3, "cluster=8x80"], 0.0, "cluster.nodes"),
        ([*BARE_V3, "cluster=64x8_h800"], 0.0, "rollout.tensor_parallel"),
    ],
)
def test_the_remedy_of_a_refusal_is_one(words: list[str], host_gib: float, setting: str) -> None:
    lines = refusals(*planned(*words), host_gib)
    assert len(lines) == 1
    assert lines[0].startswith("does not fit: ")
    assert setting in lines[0]
    work, shape = planned(*words)
    for way in remedies(lines[0]):
        assert refusals(*planned(*words, *way), host_gib) == []
        changes = {name: yaml.safe_load(value) for name, _, value in map(split, way)}
        for left_out in changes:
            # Two that come together: a row must hold the longest sample.
            if left_out not in ("learner.row_tokens", "rollout.max_tokens"):
                others = {name: value for name, value in changes.items() if name != left_out}
                assert refusals(changed(work, others), shape, host_gib) != [], left_out


def split(word: str) -> tuple[str, str, str]:
    return word.partition("=")


def test_numbers_of_a_refusal() -> None:
    """7.6B parameters on one rank, 20 bytes each; CUDA, a sleeping sampler; activations, one
    layer's gradients, logits and the head's gradient as in test_plan_memory.py."""
    (line,) = refusals(*planned(*BARE_7B, "learner.gradient_checkpointing=true"), 0.0)
    found = re.search(r"each GPU while training: ([\d.]+) of 79.0 GiB", line)
    assert found is not None
    needed = 7_615_616_512 * 20 / 2**30 + 1.0 + 1.5 + 13.58 + 4.70 + 1.16 + 3.05
    assert float(found.group(1)) == pytest.approx(needed, abs=0.1)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["learner.ranks=9"], "learner.ranks=9: the cluster has 1 x 8 = 8 GPUs; set learner.ranks"),
        (["rollout.samplers=8", "rollout.tensor_parallel=2"], "= 16: the cluster has 1 x 8 = 8"),
        (["rollout.samplers=1", "rollout.tensor_parallel=3"], "set rollout.tensor_parallel=4"),
        (["rollout.samplers=1", "rollout.tensor_parallel=16"], "set at most 8"),
        (["learner.expert_parallel=2"], "the model, which is 0; set it to 1"),
    ],
)
def test_what_has_no_place(words: list[str], line: str) -> None:
    (refusal,) = refusals(*planned(*QWEN_7B, *words), 0.0)
    assert line in refusal


def test_in_a_split_each_gpu_has_one_kind_of_process() -> None:
    """What one GPU holds of learner and sampler together, two hold in a split."""
    work, shape = planned(*QWEN_7B, "learner.ranks=4", "rollout.samplers=4")
    together = {
        each.phase: each.needed for each in demands(work, shape, 0.0) if each.place == "each GPU"
    }
    cluster = work.cluster.model_copy(update={"placement": "split"})
    apart = demands(replace(work, cluster=cluster), shape, 0.0)
    for phase, needed in together.items():
        parts = [each.needed for each in apart if each.phase == phase and "GPU of" in each.place]
        assert len(parts) == 2 and min(parts) > 0
        assert sum(parts) == pytest.approx(needed)


def test_nothing_helps_on_too_small_a_machine() -> None:
    (line,) = refusals(*planned(), 1.0)
    assert line.endswith("take a smaller model")
