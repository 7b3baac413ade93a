"""The learner in plain torch: the slow twin that DeepSpeedLearner must equal.

One process, one sample at a time, no packing, dense attention, full log_softmax, torch's AdamW.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from configs.schema import AlgorithmSettings, LearnerSettings
from model.loading import load_model
from rl.losses import row_loss
from rl.metrics import update_metrics
from rl.records import Row


class TorchLearner:
    """The same meaning as model.learner.DeepSpeedLearner on one rank, in float32."""

    def __init__(
        self, model_path: str | Path, learner: LearnerSettings, algorithm: AlgorithmSettings | None
    ) -> None:
        self.model = load_model(Path(model_path), torch.float32, attention="eager", experts="eager")
        self._learner = learner
        self._algorithm = algorithm
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), betas=learner.betas, weight_decay=learner.weight_decay
        )

    def log_probs(self, rows: Sequence[Row]) -> list[Tensor]:
        """[T] of each row; 0 outside the loss mask and where a segment begins."""
        with torch.no_grad():
            return [self._row_log_probs(row)[0] * row.loss_mask for row in rows]

    def accumulate(self, rows: Sequence[Row]) -> dict[str, float]:
        """Gradients of the sum loss into .grad; sums of the metrics."""
        totals: dict[str, float] = {}
        for row in rows:
            log_probs, entropy = self._row_log_probs(row)
            outputs = row_loss(row, log_probs, entropy, self._algorithm)
            outputs.loss.backward()
            for name, value in outputs.metrics.items():
                totals[name] = totals.get(name, 0.0) + value.item()
        return totals

    def update(self, rows: Sequence[Row], learning_rate: float) -> dict[str, float]:
        """One optimiser step on all rows of a mini-batch."""
        self._optimizer.zero_grad()
        totals = self.accumulate(rows)
        limit = self._learner.gradient_clip
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit or float("inf"))
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.step()
        return {**update_metrics(totals), "actor/grad_norm": norm.item()}

    def _row_log_probs(self, row: Row) -> tuple[Tensor, Tensor]:
        """([T] log-probs, [T] entropies), one forward pass per segment."""
        log_probs, entropies = [], []
        for token_ids in row.token_ids.split(list(row.segment_lengths)):
            logits = self.model(input_ids=token_ids[None], use_cache=False).logits[0, :-1].float()
            distribution = logits.log_softmax(-1)
            chosen = distribution.gather(-1, token_ids[1:, None])[:, 0]
            entropy = -(distribution.exp() * distribution).sum(-1).detach()
            zero = chosen.new_zeros(1)
            log_probs += [zero, chosen]
            entropies += [zero, entropy]
        return torch.cat(log_probs), torch.cat(entropies)
