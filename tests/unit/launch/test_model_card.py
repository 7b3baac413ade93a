"""What a model's folder says about itself, from what a run has left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from transformers import GenerationConfig

from configs.compose import load_config
from configs.schema import RewardModelConfig, RlConfig, SftConfig
from launch.model_card import generation_config, model_card
from recipes.evaluation import evaluate, to_json
from rl.records import Completion, Group, Outcome, Prompt, Score


def groups(right: int) -> list[Group]:
    """Two problems with four samples each, of which `right` are right in each."""
    found = []
    for number in range(2):
        prompt = Prompt(f"p{number}", "1+1?", (1, 2), "2", {"kind": "add"})
        outcomes = [Outcome.CORRECT] * right + [Outcome.WRONG] * (4 - right)
        completions = tuple(
            Completion(prompt.id, index, "2", (5, 6, 7), (0.0, 0.0, 0.0), 0, "stop")
            for index in range(4)
        )
        scores = tuple(Score(1.0, outcome, {"format": 1.0}) for outcome in outcomes)
        found.append(Group(prompt, completions, scores))
    return found


def test_the_card_of_a_reinforcement_learning_run(tmp_path: Path) -> None:
    config = load_config(["recipe=r1/rl_reasoning", "model.path=/home/me/sft_cold_start/final"])
    assert isinstance(config, RlConfig)
    (tmp_path / "eval").mkdir()
    for step, right in ((0, 1), (5, 3)):
        text = to_json(evaluate(groups(right), 16 * step), groups(right))
        (tmp_path / "eval" / f"step-{step:06d}.json").write_text(text)
    card = model_card(tmp_path, config, 80, "3fa1")
    head = yaml.safe_load(card.split("---")[1])
    assert head["base_model"] == "sft_cold_start" and head["library_name"] == "transformers"
    assert "| 0 | pass@1 25.0 ± 0.0 %, format 100.0 %, 3.0 tokens |" in card
    assert "| 80 | pass@1 75.0 ± 0.0 %" in card and "`3fa1`" in card
    settings = yaml.safe_load(card.split("```yaml\n")[1].split("```")[0])
    assert settings["algorithm"] == {"clip_low": 10.0, "clip_high": 10.0}
    assert "/home/me" not in card, "a card is published; where the files were is nobody's business"


@pytest.mark.parametrize("recipe", ["sft", "r1/reward_helpful"])
def test_the_cards_of_the_other_kinds(tmp_path: Path, recipe: str) -> None:
    config = load_config([f"recipe={recipe}", "model=nano_v3", "data.path=/home/me/rows.jsonl"])
    assert isinstance(config, SftConfig | RewardModelConfig)
    rows = {"train_sequences": 96, "heldout_sequences": 4, "rejected": {"over-long": 2}}
    (tmp_path / "data.json").write_text(json.dumps(rows))
    card = model_card(tmp_path, config, 12, "3fa1")
    assert "rows.jsonl: 96 sequences to train on, 4 held out; rows left out: 2 over-long" in card
    assert "base_model" not in card and "nano world" in card
    assert "/home/me" not in card
    assert ("vllm serve" in card) == (recipe == "sft")


def test_transformers_samples_as_the_paper_does(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 7}))
    (tmp_path / "generation_config.json").write_text(json.dumps({"_from_model_config": True}))
    (tmp_path / "generation_config.json").write_text(generation_config(tmp_path))
    found = GenerationConfig.from_pretrained(tmp_path)
    assert (found.do_sample, found.temperature, found.top_p) == (True, 0.6, 0.95)
    assert found.eos_token_id == [7]
    # What the model ended with before is kept.
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [9, 3]}))
    assert json.loads(generation_config(tmp_path))["eos_token_id"] == [3, 9]
