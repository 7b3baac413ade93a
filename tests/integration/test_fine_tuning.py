"""Fine-tuning teaches: the nano base model on worked solutions, by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest
import torch

from configs.rewards import RewardSettings
from configs.schema import NanoModel
from recipes.nano_base import build_base
from recipes.nano_world import draw_problems
from rewards.scoring import Scorer
from rl.records import GenerationRequest, Prompt, SamplingSettings
from rollout.reference_sampler import ReferenceSampler
from rollout.tokens import load_tokenizer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]

RUN = ("data=nano_solutions", "data.train_problems=640", "learner.ranks=1")


def rates(folder: Path, problems: int = 64) -> tuple[float, float]:
    """(accuracy, format rate) at temperature 1 on held-out problems."""
    torch.set_num_threads(1)  # threads inside operations this small would wait for each other
    tokenizer = load_tokenizer(folder)
    prompts = [
        Prompt(str(i), p.prompt, tuple(tokenizer.encode(p.prompt)), p.answer)
        for i, p in enumerate(draw_problems(problems, heldout=True, seed=1))
    ]
    requests = [GenerationRequest(prompt, 0, seed) for seed, prompt in enumerate(prompts)]
    completions = list(ReferenceSampler(folder).generate(requests, SamplingSettings(1.0, 1.0, 48)))
    with Scorer(RewardSettings()) as scorer:
        scores = scorer.score_all(completions, {p.id: p for p in prompts}, 48)
    accuracy, form = (fmean(s.parts[name] for s in scores) for name in ("accuracy", "format"))
    return accuracy, form


def test_worked_solutions_raise_accuracy_and_format(tmp_path: Path) -> None:
    """Measured: accuracy 0.30 to 0.84, format 0.67 to 0.97 with 20 updates."""
    words = ["run", "sft", "model=nano_v3", *RUN, f"run_dir={tmp_path}/run"]
    subprocess.run([sys.executable, "-m", "launch.cli", *words], check=True)
    losses = [
        json.loads(path.read_text())["loss"]
        for path in sorted((tmp_path / "run" / "eval").glob("*.json"))
    ]
    assert losses[-1] < 0.25 * losses[0]
    before, after = rates(build_base(NanoModel())), rates(tmp_path / "run" / "final")
    assert after[0] > max(0.7, before[0] + 0.3), (before, after)
    assert after[1] > max(0.8, before[1] + 0.1), (before, after)
