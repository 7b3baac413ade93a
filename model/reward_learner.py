"""One rank of a reward model's training. What is not said here is as in model/learner.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from model.learner import DeepSpeedLearner
from model.micro_batches import micro_batches
from model.scorer import new_scorer
from rl.judged import JudgedRow, judged_loss
from rl.losses import LossOutputs


class DeepSpeedRewardLearner(DeepSpeedLearner[JudgedRow]):
    """A DeepSpeed engine around a model that gives one score per segment."""

    @torch.no_grad()
    def scores(self, rows: Sequence[JudgedRow]) -> list[Tensor]:
        """[S] float32 on the CPU for each of this rank's rows."""
        results = [
            self._engine(row.token_ids, row.segment_lengths).cpu()
            for row in micro_batches(rows, self._settings.rows_per_micro_batch, self._device)
        ]
        lengths = [len(row.segment_lengths) for row in rows]
        return list(torch.cat(results).split(lengths))

    def save_model(self, folder: str | Path) -> None:
        """A folder that transformers loads as a model for sequence classification."""
        (name,) = self._causal_lm.config.architectures or [""]
        self._save_folder(
            Path(folder),
            architectures=[name.replace("ForCausalLM", "ForSequenceClassification")],
            id2label={"0": "reward"},
            label2id={"reward": 0},
        )

    def _module(self, temperature: float) -> nn.Module:
        return new_scorer(self._causal_lm)

    def _loss(self, row: JudgedRow) -> LossOutputs:
        return judged_loss(row, self._engine(row.token_ids, row.segment_lengths))
