"""RL for all scenarios with real engines: two reward models are trained, and rate what is sampled
for general prompts, beside problems that rules check."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from launch.trackers import read_metrics
from recipes.reward_folder import read_facts
from tests.faults.harness import TINY

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

REWARD_MODEL = (
    *("data=nano_preferences", "data.train_pairs=96", "data.heldout_pairs=16"),
    *("recipe.batch_size=16", "model.pretrain_steps=30", "learner.dtype=float32"),
    *("learner.row_tokens=512", "learner.ranks=1"),
)


def launch(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "launch.cli", "run", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One step with problems and one with general prompts too."""
    folder = tmp_path_factory.mktemp("all")
    cache = f"model.cache_dir={folder / 'cache'}"
    models = []
    for name in ("helpful", "safety"):
        launch(f"r1/reward_{name}", *REWARD_MODEL, cache, f"run_dir={folder / name}")
        models.append(f"reward.{name}_model={folder / name / 'final'}")
    run = folder / "run"
    words = [
        "r1/rl_all",
        *TINY,
        "recipe.steps=2",
        "recipe.general_from_step=1",
        "data.general=nano",
    ]
    float32 = ["learner.dtype=float32", "rollout.dtype=float32", "learner.row_tokens=512"]
    words.append("tracking.samples_per_step=8")
    launch(*words, *models, *float32, cache, f"run_dir={run}")
    return run


def test_general_prompts_come_late_and_are_rated(run: Path) -> None:
    problems, mixed = read_metrics(run / "metrics.jsonl")
    assert "reward/preference/mean" not in problems
    assert 0.0 < mixed["reward/preference/mean"] < 1.0
    groups = [
        json.loads(line)
        for line in (run / "rollouts" / "step-000002.jsonl").read_text().splitlines()
    ]
    rated = [group for group in groups if group["answer"] == ""]
    assert len(rated) == 4, "0.47 of 8 prompts"
    for completion in (each for group in rated for each in group["completions"]):
        parts = completion["parts"]
        assert "accuracy" not in parts
        # Weight 1 each (arXiv 2501.12948v2, eq. 8 to 10); a language part may be missing.
        known = parts["preference"] + parts["format"] + parts.get("language", 0.0)
        assert completion["reward"] >= known - 1e-6


def test_learner_and_sampler_mean_the_same_temperature(run: Path) -> None:
    """Both in float32, at the recipe's 0.7."""
    for step in read_metrics(run / "metrics.jsonl"):
        assert 0.0 <= step["rollout/mismatch_kl"] < 1e-6


def test_each_reward_model_says_what_it_judges(run: Path) -> None:
    assert read_facts(run.parent / "helpful" / "final", "x", "pairwise").objective == "pairwise"
    assert read_facts(run.parent / "safety" / "final", "x", "pointwise").center == 0.0


def test_the_model_is_one_that_people_can_use(run: Path) -> None:
    final = run / "final"
    tokenizer = AutoTokenizer.from_pretrained(final)
    chat = [{"role": "user", "content": " Compute 12+34."}]
    prompt = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    model = AutoModelForCausalLM.from_pretrained(final)
    assert (model.generation_config.temperature, model.generation_config.top_p) == (0.6, 0.95)
    assert model.generate(**prompt, max_new_tokens=8).shape[1] <= prompt["input_ids"].shape[1] + 8
    card = (final / "README.md").read_text()
    assert "library_name: transformers" in yaml.safe_dump(yaml.safe_load(card.split("---")[1]))
    assert "pass@1" in card
