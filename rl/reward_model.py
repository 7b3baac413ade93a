"""Training of a reward model: one mini-batch of judged responses and one update per step.

    units of the step -> global weights -> packed rows -> update

Order and learning rate are functions of the step, so a run that stopped goes on with the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from configs.schema import RewardModelConfig
from rl.judged import Judged, JudgedRow, pack_judged, scores_of_units
from rl.metrics import timing_metrics
from rl.order import batch_of_step
from rl.protocols import LoopState, Observer, StepResult
from rl.schedules import learning_rate
from rl.timing import PhaseTimer


class ScoreLearner(Protocol):
    """All ranks of a learner whose model gives one score per segment; as rl.protocols.Learner."""

    num_ranks: int

    def updates(
        self, mini_batches: Iterable[tuple[Sequence[Sequence[JudgedRow]], float]]
    ) -> list[Mapping[str, float]]: ...

    def scores(self, rows: Sequence[Sequence[JudgedRow]]) -> list[list[Tensor]]:
        """Per rank and row, [S] float32."""
        ...


def fit(
    config: RewardModelConfig,
    state: LoopState,
    units: Sequence[Judged],
    *,
    learner: ScoreLearner,
    observer: Observer,
) -> LoopState:
    """Run the updates from state to the end of the last epoch; returns the final state."""
    size = config.recipe.batch_size
    while state.step < num_updates(len(units), config):
        timer = PhaseTimer()
        batch = [units[i] for i in batch_of_step(len(units), size, state.step, config.seed)]
        rate = learning_rate(
            state.step, config.learner.learning_rate, config.learner.warmup_updates
        )
        with timer("update_actor"):
            (updated,) = learner.updates([(_pack(batch, learner, config), rate)])
        state = LoopState(step=state.step + 1, version=state.version + 1)
        metrics = {**updated, "data/units": float(len(batch))}
        metrics |= timing_metrics(
            timer.seconds(),
            num_tokens=sum(len(segment) for unit in batch for segment in unit.segments),
            num_devices=learner.num_ranks,
        )
        observer.step_finished(StepResult(state, (), metrics))
    return state


def num_updates(num_units: int, config: RewardModelConfig) -> int:
    """Updates of the whole run: full batches only, epoch by epoch."""
    return config.recipe.epochs * (num_units // config.recipe.batch_size)


@dataclass(frozen=True, slots=True)
class HeldoutScores:
    """How well the model judges what it has not seen."""

    accuracy: float
    """Share of the pairs whose chosen response has the higher score, or of the responses whose
    score has the sign of their label."""
    loss: float
    mean_score: float
    """Over all responses."""


def heldout_scores(
    units: Sequence[Judged], learner: ScoreLearner, config: RewardModelConfig
) -> HeldoutScores:
    """Of the model as it is."""
    rows = _pack(units, learner, config)
    scores = scores_of_units(rows, learner.scores(rows))
    logits = torch.tensor([each[0] - each[1] if len(each) == 2 else each[0] for each in scores])
    labels = torch.tensor([unit.label for unit in units])
    return HeldoutScores(
        accuracy=((logits > 0.0) == (labels > 0.5)).double().mean().item(),
        loss=binary_cross_entropy_with_logits(logits.double(), labels.double()).item(),
        mean_score=fmean(score for each in scores for score in each),
    )


def _pack(
    units: Sequence[Judged], learner: ScoreLearner, config: RewardModelConfig
) -> list[list[JudgedRow]]:
    return pack_judged(
        units,
        row_tokens=config.learner.row_tokens,
        num_ranks=learner.num_ranks,
        rows_multiple_of=config.learner.rows_per_micro_batch,
    )
