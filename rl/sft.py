"""Supervised fine-tuning: one mini-batch and one update per step.

    sequences of the step -> global weights -> packed rows -> update

The loss of a mini-batch is the mean negative log-likelihood of its loss tokens, -1/N sum log pi,
with N counted over all rows, micro-batches and ranks (rl.losses.negative_log_likelihood). Order and
learning rate are functions of the step, so a run that stopped goes on with the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from configs.schema import SftConfig
from rl.losses import token_weights
from rl.metrics import timing_metrics
from rl.order import batch_of_step
from rl.packing import pack
from rl.protocols import Learner, LoopState, Observer, StepResult
from rl.records import Row, Sample
from rl.schedules import cosine_rate
from rl.timing import PhaseTimer


def fine_tune(
    config: SftConfig,
    state: LoopState,
    sequences: Sequence[Sample],
    *,
    learner: Learner,
    observer: Observer,
) -> LoopState:
    """Run the updates from state to the end of the last epoch; returns the final state."""
    learning, size = config.learner, config.recipe.batch_size
    total = num_updates(len(sequences), config)
    while state.step < total:
        timer = PhaseTimer()
        with timer("data"):
            order = batch_of_step(len(sequences), size, state.step, config.seed)
            batch = [sequences[index] for index in order]
        rate = cosine_rate(
            state.step,
            total,
            base=learning.learning_rate,
            final=learning.learning_rate * config.recipe.final_rate_share,
            warmup=learning.warmup_updates,
        )
        with timer("update_actor"):
            (updated,) = learner.updates([(_pack(batch, learner, config), rate)])
        state = LoopState(step=state.step + 1, version=state.version + 1)
        metrics = {**updated, "data/epoch": state.step * config.recipe.epochs / total}
        metrics |= batch_metrics(batch)
        metrics |= timing_metrics(
            timer.seconds(),
            num_tokens=sum(len(each.token_ids) for each in batch),
            num_devices=learner.num_ranks,
        )
        observer.step_finished(StepResult(state, (), metrics))
    return state


def num_updates(num_sequences: int, config: SftConfig) -> int:
    """Updates of the whole run: full batches only, epoch by epoch."""
    return config.recipe.epochs * (num_sequences // config.recipe.batch_size)


def mean_loss(sequences: Sequence[Sample], learner: Learner, config: SftConfig) -> float:
    """Mean negative log-likelihood of the sequences' loss tokens under the policy as it is."""
    rows = _pack(sequences, learner, config)
    log_probs = learner.log_probs(rows, "policy")
    total = sum(
        float((row.weights.double() * log_probs_T.double()).sum())
        for rank_rows, rank_log_probs in zip(rows, log_probs, strict=True)
        for row, log_probs_T in zip(rank_rows, rank_log_probs, strict=True)
    )
    return -total


def sequence(name: str, token_ids: Tensor, loss_mask: Tensor) -> Sample:
    """A sequence to imitate: token_ids [L] int64, loss_mask [L] bool, not at the first token."""
    assert not loss_mask[0], "the first token is given by nothing before it"
    return Sample(
        prompt_id=name,
        sample_index=0,
        token_ids=token_ids,
        loss_mask=loss_mask,
        # Nobody sampled it, and the likelihood needs neither of the two.
        behaviour_log_probs=torch.zeros(token_ids.shape),
        advantage=0.0,
        policy_version=0,
    )


def batch_metrics(batch: Sequence[Sample]) -> dict[str, float]:
    """What one mini-batch is made of."""
    lengths = [len(each.token_ids) for each in batch]
    return {
        "data/sequences": float(len(batch)),
        "data/loss_tokens": float(sum(int(each.loss_mask.sum()) for each in batch)),
        "data/length_mean": sum(lengths) / len(lengths),
        "data/length_max": float(max(lengths)),
    }


def _pack(sequences: Sequence[Sample], learner: Learner, config: SftConfig) -> list[list[Row]]:
    counts = [int(each.loss_mask.sum()) for each in sequences]
    return pack(
        sequences,
        row_tokens=config.learner.row_tokens,
        num_ranks=learner.num_ranks,
        # No length cap: "token_mean" divides by the tokens that there are.
        weights=token_weights(counts, aggregation="token_mean", max_tokens=0),
        rows_multiple_of=config.learner.rows_per_micro_batch,
    )
