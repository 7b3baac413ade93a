"""The plan's arithmetic, by hand and against real models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.compose import load_config
from configs.plan import batch_plan, count_parameters, describe_plan, memory_plan, process_plan

SMOLLM2 = {
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "vocab_size": 49152,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
}
DEEPSEEK_V3 = {
    "hidden_size": 7168,
    "num_hidden_layers": 61,
    "vocab_size": 129280,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "first_k_dense_replace": 3,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "tie_word_embeddings": False,
}


def folder_config(folder: Path, facts: dict[str, int], *overrides: str):
    (folder / "config.json").write_text(json.dumps(facts))
    return load_config(["model=folder", f"model.path={folder}", *overrides])


@pytest.mark.parametrize(
    ("facts", "published"), [(SMOLLM2, 134_515_008), (DEEPSEEK_V3, 671_000_000_000)]
)
def test_parameters_are_those_published(facts: dict[str, int], published: int) -> None:
    assert count_parameters(facts) == pytest.approx(published, rel=1e-3)


def test_the_papers_batch(tmp_path: Path) -> None:
    plan = batch_plan(folder_config(tmp_path, SMOLLM2))
    assert "512 prompts x 16 samples = 8,192 completions" in plan["each step"]
    assert "16 updates on 512 each" in plan["each step"]
    assert "650 steps = 10,400 updates on 5,324,800 completions" in plan["whole run"]
    assert "every 400 updates = 25 steps, 26 times" in plan["reference"]


def test_no_reference_without_kl() -> None:
    assert batch_plan(load_config(["algorithm.kl_coef=0.0"]))["reference"].startswith("none")
    fixed = load_config(["algorithm.reference_refresh_updates=0"])
    assert batch_plan(fixed)["reference"] == "the base model throughout"


def test_epochs() -> None:
    config = load_config(
        ["recipe.steps=10", "rollout.prompts_per_step=8", "data.train_problems=40"]
    )
    assert batch_plan(config)["epochs"] == "2.00 over 40 problems"


def test_processes() -> None:
    plan = process_plan(load_config(["learner.ranks=2", "rollout.samplers=3", "cluster.threads=0"]))
    assert plan["learner ranks"].startswith("2 ")
    assert plan["samplers"].startswith("3 ")
    assert "all CPU cores" in plan["threads"]


def learner_gib(plan: dict[str, str], part: str) -> float:
    """The number before one part of the learner's formula."""
    words = plan["each learner rank"].split()
    return float(words[words.index(part) - 1])


def test_memory_by_hand_and_sharded(tmp_path: Path) -> None:
    billion = DEEPSEEK_V3 | {"num_hidden_layers": 3}
    run = ["learner.dtype=bfloat16", "learner.ranks=4", "algorithm.kl_coef=0.0"]
    whole = memory_plan(folder_config(tmp_path, billion, *run))
    gib = count_parameters(billion) / 2**30
    assert learner_gib(whole, "weights") == pytest.approx(2 * gib, abs=0.01)
    assert learner_gib(whole, "gradients") == pytest.approx(2 * gib, abs=0.01)
    assert learner_gib(whole, "AdamW") == pytest.approx(12 * gib, abs=0.01)
    sharded = memory_plan(folder_config(tmp_path, billion, *run, "learner.zero_stage=3"))
    for part in ("weights", "gradients", "AdamW"):
        assert learner_gib(sharded, part) == pytest.approx(learner_gib(whole, part) / 4, abs=0.01)


def test_a_reference_doubles_the_weights(tmp_path: Path) -> None:
    one = memory_plan(folder_config(tmp_path, SMOLLM2, "algorithm.kl_coef=0.0"))
    two = memory_plan(folder_config(tmp_path, SMOLLM2, "algorithm.kl_coef=0.1"))
    assert learner_gib(two, "weights") == pytest.approx(2 * learner_gib(one, "weights"), abs=0.02)


def test_every_line_is_a_yaml_comment() -> None:
    lines = describe_plan(load_config([])).splitlines()
    assert all(line.startswith("#") for line in lines)


def test_memory_of_a_model_that_is_not_there_yet() -> None:
    config = load_config(["model=folder", "model.path=/nowhere"])
    assert memory_plan(config) == {"unknown": "the model's config.json is not on this disk"}
