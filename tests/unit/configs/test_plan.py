"""The plan's arithmetic, by hand and against real models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs.compose import load_config
from configs.errors import UserError
from configs.plan import batch_plan, describe_plan, make_plan, memory_plan, process_plan
from configs.plan_placement import placement
from configs.plan_work import work_of
from configs.shape import shape_from_facts

SMOLLM2 = {
    "model_type": "llama",
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "vocab_size": 49152,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
}


def folder_config(folder: Path, facts: dict[str, Any], *overrides: str):
    (folder / "config.json").write_text(json.dumps(facts))
    return load_config(["model=folder", f"model.path={folder}", *overrides])


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


def test_every_line_is_a_yaml_comment() -> None:
    lines = describe_plan(load_config([])).splitlines()
    assert all(line.startswith("#") for line in lines)


def test_dry_run_shows_the_memory_of_each_process(tmp_path: Path) -> None:
    plan = memory_plan(folder_config(tmp_path, SMOLLM2, "rollout.kv_cache_gib=1.0"))
    assert plan["model"] == "134.5M parameters"
    # 1.1 of libraries, 1 of cache, weights twice: 4 bytes x 134.5M = 0.5.
    assert plan["sampler"].startswith("2.6 GiB")


def test_memory_of_a_model_that_is_not_there_yet() -> None:
    config = load_config(["model=folder", "model.path=/nowhere"])
    assert list(memory_plan(config)) == ["unknown"]


def test_the_kind_of_gpu_must_be_named(tmp_path: Path) -> None:
    config = folder_config(tmp_path, SMOLLM2, "cluster=local_gpu")
    shape = shape_from_facts(SMOLLM2)
    assert shape is not None
    with pytest.raises(UserError, match="device_kind=h100_80"):
        make_plan(config, shape, host_gib=0.0, cores=1)


def test_placement_of_the_largest(tmp_path: Path) -> None:
    """64 machines of 8 GPUs: rank i on GPU i, engines of 32 GPUs on 4 machines each."""
    config = folder_config(
        tmp_path,
        SMOLLM2,
        "cluster=64x8_h800",
        "learner.ranks=512",
        "rollout.samplers=16",
        "rollout.tensor_parallel=32",
    )
    nodes = list(placement(work_of(config)))
    assert len(nodes) == 64
    assert [device.learner_rank for device in nodes[63].devices] == list(range(504, 512))
    assert {device.sampler for device in nodes[3].devices} == {0}
    assert {device.sampler for device in nodes[4].devices} == {1}
    assert nodes[0].cpu_processes == {"driver": 1, "reward actor": 1}
    assert nodes[1].cpu_processes == {}


def test_what_a_plan_warns_of(tmp_path: Path) -> None:
    words = ["cluster=4x8x80", "learner.ranks=30", "rollout.tensor_parallel=16"]
    config = folder_config(tmp_path, SMOLLM2, *words)
    shape = shape_from_facts(SMOLLM2)
    assert shape is not None
    cautions = " | ".join(make_plan(config, shape, host_gib=0.0, cores=1).cautions)
    assert "several machines" in cautions
    assert "2 of 32 GPUs have no learner rank" in cautions
    assert "16 of 32 GPUs have no sampler" in cautions
    assert "a sampler over several machines" in cautions
    assert "reads the whole model" not in cautions
