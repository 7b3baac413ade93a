"""`launch plan r1`: every stage that trains, and what they take together."""

from __future__ import annotations

import json

import pytest

from configs.compose import load_config
from configs.plan import make_plan
from launch.cli import main
from launch.plan import model_shape
from tests.unit.configs.plans import QWEN_7B

RL = ("zero", "rl_reasoning", "rl_all")
SOLVING = (*RL, "cold_start_data", "rejection_sampling")
QWEN_R1 = [
    *("recipe.scale=", "model=qwen2_5_7b", "cluster=8x80", "recipe.without=[distill]"),
    *("stages.all.learner.ranks=8", "stages.all.learner.zero_stage=3"),
    *("stages.all.rollout.samplers=8", "stages.all.learner.gradient_checkpointing=true"),
    *(f"stages.{stage}.data=gsm8k" for stage in SOLVING),
    *(f"stages.{stage}.data.path=train.jsonl" for stage in SOLVING),
    *(f"stages.reward_{which}.data.path=pairs.jsonl" for which in ("helpful", "safety")),
    "stages.rl_all.data.general=general.jsonl",
]


def test_a_stage_has_the_plan_that_its_recipe_has_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", "r1", *QWEN_R1, "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)
    words = ["recipe=r1/zero", *QWEN_7B]
    config = load_config(words)
    alone = make_plan(config, model_shape(config.model), host_gib=0.0, cores=2)
    zero = stages["zero"]
    assert zero["hours"] == pytest.approx(alone.hours)
    assert [each["needed"] for each in zero["demands"]] == [each.needed for each in alone.demands]
    assert stages["cold_start_data"] is None and stages["evaluation"] is None
    parameters = {stage["shape"]["parameters"] for stage in stages.values() if stage}
    assert parameters == {7_615_616_512}


def test_hours_add_up_where_the_steps_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "r1", *QWEN_R1, "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)
    assert main(["plan", "r1", *QWEN_R1]) == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line}
    together = sum(stages[name]["hours"] for name in RL)
    assert float(lines["together,"][-2].replace(",", "")) == pytest.approx(together, abs=0.01)
    gpu_hours = float(lines["together,"][-1].replace(",", ""))
    assert gpu_hours == pytest.approx(8 * together, abs=1.0)
    assert lines["sft_800k"][-2:] == ["by", "data"]


def test_the_student_is_as_large_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "r1", "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)
    sizes = {name: stage["shape"]["parameters"] for name, stage in stages.items() if stage}
    assert sizes["distill"] == sizes["student_rl"] < sizes["zero"] == sizes["rl_all"]


def test_what_cannot_be_is_refused_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "r1", *QWEN_R1, "stages.zero.learner.zero_stage=0"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: stages.zero: does not fit: each GPU while training")
    assert len(said.err.splitlines()) == 1
    assert "does not fit" in said.out
