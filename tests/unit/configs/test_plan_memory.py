"""Memory worked out again from first principles, with the numbers of each model written out, and
compared with what runs took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.plan_fit import demands
from tests.unit.configs.plans import (
    DEEPSEEK_V3,
    GIB,
    QWEN_7B,
    QWEN_32B,
    parts,
    planned,
    processes,
)

MEASURED_NANO = {"driver": 0.73, "learner rank": 0.68, "reward actor": 0.31, "sampler": 2.2}
"""Peak resident GiB of R1-Zero on the nano model on 2 cores, 2026-11-28."""


def test_nano_is_within_15_percent_of_what_was_measured() -> None:
    planned_gib = {
        name: max(process.total("train", "device"), process.total("generate", "device")) / GIB
        for name, process in processes().items()
    }
    assert planned_gib == pytest.approx(MEASURED_NANO, rel=0.15)


RATED = ["reward.helpful_model=none", "reward.safety_model=none"]


def test_reward_models_are_within_15_percent_of_what_was_measured() -> None:
    """The last RL stage of the nano world on 2 cores, 2026-11-28; the driver built no model."""
    measured = {"learner rank": 0.68, "sampler": 2.18, "reward actor": 0.32, "reward model": 0.47}
    found = processes("recipe=r1/rl_all", "scale=r1/rl_all_nano_v3", "model=nano_v3", *RATED)
    assert found["reward model"].count == 2
    peaks = {name: found[name].total("train", "device") / GIB for name in measured}
    assert peaks == pytest.approx(measured, rel=0.15)


def test_reward_models_by_hand(tmp_path: Path) -> None:
    """As large as the policy, 7.62e9 parameters, where no folder says more; moved to main memory
    while they are not needed, both of them on the first machine."""
    n = 7_615_616_512
    words = ["recipe=r1/rl_all", *QWEN_7B, "data.general=general.jsonl"]
    found = processes(*words, *RATED)["reward model"]
    assert parts(found, "host")["weights"].generate == 2 * n
    assert "weights" not in parts(found)
    kept = processes(*words, *RATED, "learner.offload=false")["reward model"]
    assert parts(kept)["weights"].train == 2 * n

    smollm2(tmp_path)
    one = [f"reward.helpful_model={tmp_path}", "reward.safety_model=none"]
    small = processes(*words, *one)["reward model"]
    assert parts(small, "host")["weights"].train == 2 * 134_515_008

    def main_memory(*words: str) -> float:
        found = demands(*planned(*words), 0.0)
        return next(each.needed for each in found if "main memory" in each.place)

    with_them = main_memory(*words, *one)
    without = main_memory(*words, "data.general=''", *one)
    assert with_them - without == pytest.approx(2 * (0.46 + 2 * 134_515_008 / GIB))


def smollm2(folder: Path) -> list[str]:
    """A run on it, whose config.json is written into the folder."""
    facts = {
        "model_type": "llama",
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "vocab_size": 49152,
        "intermediate_size": 1536,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "tie_word_embeddings": True,
    }
    (folder / "config.json").write_text(json.dumps(facts))
    return ["model=smollm2_135m", f"model.path={folder}", "data=gsm8k", "data.path=x"]


def test_smollm2_is_within_15_percent_of_what_was_measured(tmp_path: Path) -> None:
    apart = ["learner.row_tokens=1024", "learner.share_prefixes=false"]
    found = processes(*smollm2(tmp_path), *apart, "rollout.kv_cache_gib=1.0")
    measured = {"driver": 0.63, "learner rank": 5.44, "sampler": 2.6}
    for name, gib in measured.items():
        assert found[name].total("train", "device") / GIB == pytest.approx(gib, rel=0.15), name


def test_shared_prompts_by_hand(tmp_path: Path) -> None:
    """Rows of 1,024: one prompt of 512 and four completions of 128, so attention has three times
    512 tokens more. It keeps queries, keys, values and output of 576 and the scores of 9 heads up
    to 512 tokens."""
    found = processes(*smollm2(tmp_path), "learner.row_tokens=1024")
    learner = parts(found["learner rank"])
    attention = 2 * (4 * 576 + 9 * 512)
    assert learner["shared prompts"].train == pytest.approx(3 * 512 * 30 * attention * 1.5)


def test_nano_by_hand() -> None:
    """float32 on two ranks, ZeRO 0 (which runs as ZeRO 1); rows of 1,024 tokens."""
    n = 1_389_120
    learner = parts(processes()["learner rank"])
    assert learner["weights"].train == 4 * n
    assert learner["master weights"].train == 4 * n / 2
    assert learner["optimizer states"].train == 8 * n / 2
    assert learner["gradients"].train == 4 * (n + n / 2)
    assert learner["gradients"].generate == 0
    assert learner["reference policy"].train == 4 * n
    # Two norms of 128 and one of 64 + 512 + 64, 12 bytes each; queries and keys of 4 x 96, values
    # and output of 4 x 32; 4 x 256 in the MLP; 2 copies of 128 for each of 2 experts; 4 bytes each.
    layer = 12 * (2 * 128 + 640) + 4 * (2 * 384 + 2 * 128 + 4 * 256 + 2 * 2 * 128)
    assert learner["activations"].train == pytest.approx(1024 * 3 * layer * 1.5)
    assert learner["logits chunk"].train == 8 * 1024 * 320


def test_qwen_7b_by_hand() -> None:
    """8 x 80 GB, ZeRO 3, gradient checkpointing, rows of 33,280 tokens."""
    n, tokens = 7_615_616_512, 33_280
    learner = processes(*QWEN_7B)["learner rank"]
    device, host = parts(learner), parts(learner, "host")
    assert device["weights"].train == n * 2 / 8
    assert device["master weights"].train == n * 4 / 8
    assert device["optimizer states"].train == n * 8 / 8
    assert device["gradients"].train == n * 4 / 8
    assert host["reference policy"].train == n * 2 / 8
    assert device["ZeRO-3 gathers"].train == 2 * 10**9
    norms = 2 * 3584 * (4 + 2 + 2)
    attention = 2 * 4 * 3584
    mlp = 2 * 4 * 18944
    layer = norms + attention + mlp
    assert device["activations"].train == tokens * (28 * 2 * 3584 + layer)
    assert device["backward pass"].train == tokens * mlp
    assert device["logits chunk"].train == 1024 * 152064 * 8
    # All of it, with 1 GiB for CUDA, the bucket, and the head's gradient in float32 and bfloat16.
    total = GIB + n * 18 / 8 + 2e9 + 4 * 5e8 + device["activations"].train
    total += tokens * mlp + 1024 * 152064 * 8 + 152064 * 3584 * 6
    assert learner.total("train", "device") == pytest.approx(total, rel=1e-6)
    # While samplers generate, only CUDA stays; gradients and their bucket move with the rest.
    assert learner.total("generate", "device") == GIB
    moved = sum(part.generate for name, part in host.items() if name.endswith("moved"))
    assert moved == n * 18 / 8 + 4 * 5e8


def test_qwen_7b_sampler_by_hand() -> None:
    sampler = processes(*QWEN_7B)["sampler"]
    device = parts(sampler)
    assert device["weights"].generate == 2 * 7_615_616_512
    assert sampler.total("generate", "device") == pytest.approx(0.85 * 79 * GIB, abs=2)
    cache = 0.85 * 79 * GIB - 2 * 7_615_616_512 - 2 * GIB
    assert device["KV cache"].generate == pytest.approx(cache, abs=2)
    assert device["asleep"].train == 1.5 * GIB


def test_qwen_32b_by_hand() -> None:
    """4 x 8 x 80 GB: 32 ranks, engines of 4 GPUs."""
    n, tokens = 32_763_876_352, 33_280
    found = processes(*QWEN_32B)
    learner, sampler = parts(found["learner rank"]), parts(found["sampler"])
    states = sum(
        learner[name].train
        for name in ("weights", "master weights", "optimizer states", "gradients")
    )
    assert states == pytest.approx(n * 18 / 32, abs=4)
    layer = 2 * 5120 * 8 + 2 * 4 * 5120 + 2 * 4 * 27648
    assert learner["activations"].train == tokens * (64 * 2 * 5120 + layer)
    assert sampler["weights"].generate == n * 2 / 4
    total = GIB + n * 18 / 32 + 4 * 5e8 + 2e9 + learner["activations"].train
    total += tokens * 2 * 4 * 27648 + 8 * 1024 * 152064 + 6 * 152064 * 5120
    assert found["learner rank"].total("train", "device") == pytest.approx(total, rel=1e-6)


def test_deepseek_v3_by_hand() -> None:
    """64 x 8 H800: ZeRO 3 over 512 ranks, experts dealt out over 64, engines of 32 GPUs."""
    n, tokens = 671_026_404_352, 16_896
    found = processes(*DEEPSEEK_V3)
    learner, sampler = parts(found["learner rank"]), parts(found["sampler"])
    for name, size in {
        "weights": 2,
        "master weights": 4,
        "optimizer states": 8,
        "gradients": 4,
    }.items():
        assert learner[name].train == pytest.approx(size * n / 512, abs=size), name
    # The embedding and, of one layer, the 256 / 64 experts of a rank, each 3 x 7168 x 2048.
    gathered = 129280 * 7168 + 256 // 64 * 3 * 7168 * 2048
    assert learner["ZeRO-3 gathers"].train == 2 * gathered
    # 128 heads of 192 for queries and keys and of 128 for values and output; 1536 + 512 + 64 of
    # latents; 8 routed experts and a shared one are as wide as the dense layers' 18432.
    norms = 8 * (2 * 7168 + 1536 + 512 + 64)
    attention = 2 * (2 * 128 * 192 + 2 * 128 * 128)
    layer = norms + attention + 2 * 4 * 18432 + 2 * 2 * 8 * 7168
    assert learner["activations"].train == tokens * (61 * 2 * 7168 + layer)
    assert sampler["weights"].generate == n * 2 // 32
    total = GIB + n * 18 / 512 + 4 * 5e8 + 2 * gathered + learner["activations"].train
    total += tokens * 2 * (4 * 18432 + 8 * 7168) + 8 * 1024 * 129280 + 6 * 129280 * 7168
    assert found["learner rank"].total("train", "device") == pytest.approx(total, rel=1e-6)


def test_checkpointing_keeps_one_state_per_layer() -> None:
    def kept(value: str) -> int:
        found = processes(*QWEN_7B, f"learner.gradient_checkpointing={value}")
        return parts(found["learner rank"])["activations"].train

    layer = 2 * 3584 * 8 + 2 * 4 * 3584 + 2 * 4 * 18944
    assert kept("false") == 28 * 33280 * layer
    assert kept("true") == 33280 * (28 * 2 * 3584 + layer)


@pytest.mark.parametrize(
    ("stage", "weights", "sums", "kept", "own", "optimizer"),
    [(0, 2, 4, 4, 2, 1), (1, 2, 4, 4, 2, 1), (2, 2, 0.5, 0, 0, 1), (3, 0.25, 0.5, 0.5, 0, 1)],
)
def test_what_each_zero_stage_shards(
    stage: int, weights: float, sums: float, kept: float, own: float, optimizer: float
) -> None:
    """Bytes per parameter in bfloat16 on 8 ranks; kept: of the gradients, while generating: on the
    host with learner.offload."""
    n = 7_615_616_512
    words = [*QWEN_7B, f"learner.zero_stage={stage}"]
    rank = processes(*words)["learner rank"]
    learner, host = parts(rank), parts(rank, "host")
    assert learner["weights"].train == weights * n
    assert learner["gradients"].train == sums * n
    assert learner["gradients"].generate == 0
    assert (host["gradients, moved"].generate if kept else 0) == kept * n
    assert ("reduce bucket, moved" in host) is (stage == 3)
    beside = parts(processes(*words, "learner.offload=false")["learner rank"])
    assert beside["gradients"].generate == kept * n
    own_gradients = learner.get("gradients, bfloat16")
    assert (own_gradients.train if own_gradients else 0) == own * n
    assert learner["optimizer states"].train == optimizer * n


def test_experts_are_dealt_out() -> None:
    """ZeRO 1, 512 ranks, experts over 64: a rank holds all but the experts, and a 64th of those."""
    _, shape = planned(*DEEPSEEK_V3)
    learner = parts(processes(*DEEPSEEK_V3, "learner.zero_stage=1")["learner rank"])
    experts = 58 * 256 * 3 * 7168 * 2048
    assert shape.routed == experts
    assert learner["weights"].train == 2 * (671_026_404_352 - experts + experts // 64)


def test_no_reference_and_no_offload() -> None:
    found = processes(*QWEN_7B, "algorithm.kl_coef=0.0", "learner.offload=false")
    learner = found["learner rank"]
    assert "reference policy" not in parts(learner, "host")
    assert parts(learner)["optimizer states"].generate == 7_615_616_512
    assert not any(name.endswith("moved") for name in parts(learner, "host"))
