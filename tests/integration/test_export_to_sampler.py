"""Trained under ZeRO-3 with experts spread over two ranks, saved, and loaded by vLLM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from configs.schema import AlgorithmSettings, LearnerSettings
from rl.packing import pack, unpack
from rl.records import Sample
from tests.integration.ranks import run_ranks
from tests.learner_samples import packed, random_samples
from tests.models import save_tiny_deepseek
from tests.unit.rollout.tiny import save_tokenizer, vllm_sampler

pytestmark = pytest.mark.integration

SETTINGS = LearnerSettings(dtype="float32", ranks=2, zero_stage=3, expert_parallel=2)
TOLERANCE = 5e-5
"""In nats: float32 rounding of two engines on weights as large as these."""


def scored_samples() -> list[Sample]:
    """Sequences whose every token counts."""
    return [
        replace(sample, loss_mask=torch.ones_like(sample.loss_mask))
        for sample in random_samples(6, seed=7)
    ]


def train_and_save(rank: int, address: str, folder: str, target: str) -> list[torch.Tensor]:
    """One update, saved as a model folder; this rank's log-probs afterwards."""
    from model.learner import DeepSpeedLearner

    learner = DeepSpeedLearner(
        Path(folder), SETTINGS, AlgorithmSettings(), rank=rank, address=address
    )
    learner.update(packed(random_samples(seed=3), loss="grpo", ranks=2)[rank], 1e-2)
    learner.save_model(Path(target))
    rows = pack(scored_samples(), row_tokens=64, num_ranks=2)
    return learner.log_probs(rows[rank], "policy")


def test_vllm_agrees_with_the_learner_that_saved_the_folder(tmp_path: Path) -> None:
    base = save_tokenizer(save_tiny_deepseek(tmp_path / "base"))
    trained = tmp_path / "trained"
    per_rank = run_ranks(train_and_save, 2, str(base), str(trained))
    samples = scored_samples()
    rows = [row for rank in pack(samples, row_tokens=64, num_ranks=2) for row in rank]
    expected = unpack(rows, [values for rank in per_rank for values in rank])
    gaps = {}
    for folder in (trained, base):
        with vllm_sampler(folder) as sampler:
            scored = sampler.sequence_log_probs([s.token_ids.tolist() for s in samples])
        gaps[folder.name] = max(
            (torch.tensor(ours) - his).abs().max().item()
            for ours, his in zip(scored, expected, strict=True)
        )
    assert gaps["trained"] < TOLERANCE
    assert gaps["base"] > 1e-2, "the update was too small to tell the folders apart"
