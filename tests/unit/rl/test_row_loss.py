"""The loss of a packed row: which setting and which of its log-probs goes where."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from configs.schema import AlgorithmSettings
from rl.losses import row_loss
from rl.records import Row


@pytest.mark.parametrize(
    ("settings", "ratio", "advantage", "expected"),
    [
        # Clipped at 1 + 10; the KL term 0.1 (exp(-d) - 1 + d) of d = 0.5 + log 12 to the reference.
        (
            AlgorithmSettings(clip_low=10.0, clip_high=10.0, kl_coef=0.1),
            12.0,
            1.0,
            -11.0 + 0.1 * (math.exp(-0.5) / 12.0 - 0.5 + math.log(12.0)),
        ),
        # The same by k1, where no clip bites: 0.1 d.
        (
            AlgorithmSettings(clip_low=20.0, clip_high=20.0, kl_coef=0.1, kl_estimator="k1"),
            12.0,
            1.0,
            -12.0 + 0.1 * (0.5 + math.log(12.0)),
        ),
        (AlgorithmSettings(clip_low=0.2, clip_high=0.3, kl_coef=0.0), 1.25, 1.0, -1.25),
        (AlgorithmSettings(clip_low=0.2, clip_high=0.3, kl_coef=0.0), 0.75, -1.0, 0.8),
        # Weighted by old policy over sampler, exp(-1 + 3), and at most 2.
        (AlgorithmSettings(importance_correction="token", kl_coef=0.0), 1.1, 1.0, -2.2),
    ],
)
def test_settings_and_each_of_a_rows_log_probs_have_their_place(
    settings: AlgorithmSettings, ratio: float, advantage: float, expected: float
) -> None:
    def values(*numbers: float) -> Tensor:
        return torch.tensor(numbers, dtype=torch.float64)

    row = Row(
        token_ids=torch.tensor([5]),
        segment_lengths=(1,),
        loss_mask=torch.tensor([True]),
        behaviour_log_probs=values(-3.0),
        old_log_probs=values(-1.0),
        reference_log_probs=values(-1.5),
        advantages=values(advantage),
        weights=values(1.0),
        sample_indices=(0,),
    )
    log_probs_T = values(-1.0 + math.log(ratio))
    found = row_loss(row, log_probs_T, torch.zeros_like(log_probs_T), settings)
    assert float(found.loss) == pytest.approx(expected, abs=1e-12)
