"""The recipes of R1's stages against the numbers of the paper (arXiv 2501.12948v2)."""

from __future__ import annotations

import pytest

from configs.checks import check_settings
from configs.compose import load_config
from configs.plan import batch_plan
from configs.schema import RlConfig
from rl.loop import sampling_settings

FOLDER = ("model=folder", "model.path=some/folder")
ROWS = ("data.path=some.jsonl",)
SFT = {
    "recipe.batch_size": 128,
    "learner.learning_rate": 5e-5,
    "recipe.final_rate_share": 0.1,
    "data.max_tokens": 32768,
}
RL = {
    "learner.learning_rate": 3e-6,
    "learner.mini_batches": 16,
    "algorithm.kl_coef": 0.001,
    "algorithm.kl_estimator": "k3",
    "algorithm.reference_refresh_updates": 400,
    "rollout.prompts_per_step": 512,
    "rollout.samples_per_prompt": 16,
    "rollout.temperature": 1.0,
    "rollout.max_tokens": 32768,
    "reward.accuracy": 1.0,
    "reward.format": 1.0,
}
FACTS = {
    # 2.1: 10,400 updates are 650 rollouts of 16; no language reward, plain-text prompts.
    ("zero", ()): RL
    | {
        "recipe.steps": 650,
        "reward.language": 0.0,
        "reward.format_form": "answer_tags",
        "data.template": "r1_zero",
    },
    # B.4.2: both rounds with the same values.
    ("sft_cold_start", ROWS): SFT,
    ("sft_800k", ROWS): SFT,
    # 3.2.1: as R1-Zero, epsilon 10, the language share added with weight 1.
    ("rl_reasoning", ()): RL
    | {
        "algorithm.clip_low": 10.0,
        "algorithm.clip_high": 10.0,
        "reward.language": 1.0,
        "reward.format_form": "think_tags",
        "data.template": "chat",
    },
    # 3.2.2: 1,700 updates at temperature 0.7, general prompts in the last 400 only; steps of 16
    # updates here. All parts of the reward have weight 1 (eq. 8 to 10).
    ("rl_all", ()): RL
    | {
        "recipe.steps": 106,
        "recipe.general_from_step": 81,
        "rollout.temperature": 0.7,
        "algorithm.clip_low": 10.0,
        "algorithm.clip_high": 10.0,
        "reward.language": 1.0,
        "reward.preference": 1.0,
        "reward.format_form": "think_tags",
        "data.template": "chat",
    },
    # B.4.3 and Table 6, the student of 7B.
    ("distill", ROWS): SFT | {"recipe.batch_size": 64, "learner.learning_rate": 8e-5},
    # B.4.1: Qwen2.5-32B-Zero.
    ("student_rl", ()): RL | {"learner.learning_rate": 2e-6},
}


@pytest.mark.parametrize("stage", FACTS, ids=lambda stage: stage[0])
def test_a_recipe_has_the_papers_values(stage: tuple[str, tuple[str, ...]]) -> None:
    name, needed = stage
    config = load_config([f"recipe=r1/{name}", *FOLDER, *needed])
    found = {}
    for path in FACTS[stage]:
        value: object = config
        for part in path.split("."):
            value = getattr(value, part)
        found[path] = value
    assert found == FACTS[stage]


def test_the_length_cap_doubles_at_update_8200() -> None:
    """A.4; 10,400 updates in all."""
    config = load_config(["recipe=r1_zero_64k", *FOLDER, "data=gsm8k", *ROWS])
    assert isinstance(config, RlConfig)
    check_settings(config)
    caps = [sampling_settings(config, update).max_tokens for update in (0, 8199, 8200, 10399)]
    assert caps == [32768, 32768, 65536, 65536]
    assert config.longest_completion == 65536
    assert "at most 32,768 tokens (65,536 from update 8,200 on)" in batch_plan(config)["each step"]
    short = load_config(["recipe=r1_zero_64k", *FOLDER, "recipe.steps=512"])
    assert isinstance(short, RlConfig) and short.longest_completion == 32768


@pytest.mark.parametrize("name", ["sft_cold_start", "sft_800k"])
def test_both_rounds_of_fine_tuning_take_two_to_three_epochs(name: str) -> None:
    config = load_config([f"recipe=r1/{name}", *FOLDER, *ROWS])
    assert config.recipe.kind == "sft" and 2 <= config.recipe.epochs <= 3
