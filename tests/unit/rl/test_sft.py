"""Fine-tuning: the loss by hand, the loop's batches, rates and restarts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import pytest
import torch
from torch import Tensor

from configs.clusters import LocalCluster
from configs.data_sets import NanoSolutions
from configs.schema import NanoModel, SftConfig, SftLearner, SftRecipe, TrackingSettings
from rl.losses import negative_log_likelihood, row_inputs
from rl.packing import pack
from rl.protocols import LoopState, Policy, StepResult
from rl.records import Row, Sample
from rl.sft import fine_tune, mean_loss, num_updates, sequence

START = LoopState(step=0, version=0)


def make_config(*, epochs: int = 2, batch_size: int = 3, ranks: int = 1) -> SftConfig:
    return SftConfig(
        run_dir="unused",
        recipe=SftRecipe(epochs=epochs, batch_size=batch_size),
        model=NanoModel(),
        data=NanoSolutions(),
        learner=SftLearner(learning_rate=0.5, warmup_updates=1, row_tokens=16, ranks=ranks),
        cluster=LocalCluster(),
        tracking=TrackingSettings(),
    )


def make_sequences(num: int = 8) -> list[Sample]:
    """Sequence i has i + 1 loss tokens, all of them 10 + i, after two tokens of context."""
    return [
        sequence(
            f"row-{i}",
            torch.tensor([1, 2] + [10 + i] * (i + 1)),
            torch.tensor([False, False] + [True] * (i + 1)),
        )
        for i in range(num)
    ]


class World:
    """Learner and observer in one. A token's log-prob is -token / 100."""

    def __init__(self, num_ranks: int = 1) -> None:
        self.num_ranks = num_ranks
        self.updated: list[list[list[Row]]] = []
        self.rates: list[float] = []
        self.results: list[StepResult] = []

    def updates(
        self, mini_batches: Iterable[tuple[Sequence[Sequence[Row]], float]]
    ) -> list[Mapping[str, float]]:
        metrics = []
        for rows, learning_rate in mini_batches:
            self.updated.append([list(rank) for rank in rows])
            self.rates.append(learning_rate)
            metrics.append({"actor/loss": 1.0, "actor/lr": learning_rate})
        return metrics

    def log_probs(self, rows: Sequence[Sequence[Row]], policy: Policy) -> list[list[Tensor]]:
        assert policy == "policy"
        return [[-row.token_ids / 100 * row.loss_mask for row in rank] for rank in rows]

    def refresh_reference(self) -> None:
        raise AssertionError("there is no reference")

    def step_finished(self, result: StepResult) -> None:
        self.results.append(result)


def trained(world: World) -> list[set[int]]:
    """Per update, which sequences it had (by their token minus 10)."""
    return [
        {
            int(token) - 10
            for rank in update
            for row in rank
            for token in row.token_ids[row.loss_mask]
        }
        for update in world.updated
    ]


def run(config: SftConfig, world: World, state: LoopState = START, num: int = 8) -> LoopState:
    return fine_tune(config, state, make_sequences(num), learner=world, observer=world)


def test_the_loss_by_hand() -> None:
    """Two samples with 2 and 1 loss tokens: the mean over 3 tokens, whatever the context says."""
    log_probs_T = torch.tensor([-9.0, -0.5, -1.5, -9.0, -4.0], requires_grad=True)
    samples = [
        sequence("a", torch.tensor([1, 5, 6]), torch.tensor([False, True, True])),
        sequence("b", torch.tensor([1, 7]), torch.tensor([False, True])),
    ]
    ((row,),) = pack(samples, row_tokens=8, num_ranks=1, weights=[1 / 3, 1 / 3])
    entropy_T = torch.tensor([9.0, 1.0, 2.0, 9.0, 3.0])
    outputs = negative_log_likelihood(row_inputs(row, log_probs_T, entropy_T))
    outputs.loss.backward()
    assert outputs.loss.item() == pytest.approx((0.5 + 1.5 + 4.0) / 3)
    assert log_probs_T.grad is not None
    assert log_probs_T.grad.tolist() == pytest.approx([0, -1 / 3, -1 / 3, 0, -1 / 3])
    assert outputs.metrics["actor/entropy"].item() == pytest.approx(2.0)
    assert outputs.metrics["weight"].item() == pytest.approx(1.0)


def test_an_infinite_log_prob_outside_the_mask_does_no_harm() -> None:
    samples = [sequence("a", torch.tensor([1, 5]), torch.tensor([False, True]))]
    ((row,),) = pack(samples, row_tokens=8, num_ranks=1, weights=[1.0])
    outputs = negative_log_likelihood(row_inputs(row, torch.tensor([-math.inf, -2.0])))
    assert outputs.loss.item() == 2.0


@pytest.mark.parametrize("ranks", [1, 2])
def test_every_loss_token_of_a_batch_weighs_the_same(ranks: int) -> None:
    world = World(ranks)
    run(make_config(ranks=ranks), world)
    for update, sequences in zip(world.updated, trained(world), strict=True):
        weights = torch.cat([row.weights[row.loss_mask] for rank in update for row in rank])
        num_tokens = sum(i + 1 for i in sequences)
        assert weights.tolist() == pytest.approx([1 / num_tokens] * num_tokens)


def test_batches_are_full_and_an_epoch_repeats_nothing() -> None:
    world = World()
    assert run(make_config(epochs=3), world) == LoopState(step=6, version=6)
    batches = trained(world)
    assert [len(batch) for batch in batches] == [3] * 6
    for first, second in (batches[0:2], batches[2:4], batches[4:6]):
        assert not first & second
    assert num_updates(8, make_config(epochs=3)) == 6


def test_rates_warm_up_and_fall_to_a_tenth() -> None:
    world = World()
    run(make_config(epochs=3), world)
    assert world.rates[0] == world.rates[1] == 0.5
    assert world.rates[1:] == sorted(world.rates[1:], reverse=True)
    assert world.rates[-1] == pytest.approx(0.05)
    assert [result.metrics["actor/lr"] for result in world.results] == world.rates


@pytest.mark.parametrize("done", range(5))
def test_a_restart_goes_on_with_the_same_batches_and_rates(done: int) -> None:
    whole, rest = World(), World()
    run(make_config(), whole)
    run(make_config(), rest, LoopState(step=done, version=done))
    assert trained(rest) == trained(whole)[done:]
    assert rest.rates == whole.rates[done:]


def test_another_seed_has_another_order() -> None:
    worlds = [World(), World()]
    for seed, world in enumerate(worlds):
        run(make_config().model_copy(update={"seed": seed}), world)
    assert trained(worlds[0]) != trained(worlds[1])


def test_metrics_of_a_step() -> None:
    world = World()
    run(make_config(), world)
    for result, batch in zip(world.results, trained(world), strict=True):
        lengths = [i + 3 for i in batch]
        assert result.metrics["data/sequences"] == 3.0
        assert result.metrics["data/loss_tokens"] == sum(i + 1 for i in batch)
        assert result.metrics["data/length_max"] == max(lengths)
        assert result.metrics["perf/total_num_tokens"] == sum(lengths)
    assert [result.metrics["data/epoch"] for result in world.results] == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("ranks", [1, 2])
def test_mean_loss_is_over_all_tokens(ranks: int) -> None:
    expected = sum((i + 1) * (10 + i) / 100 for i in range(8)) / sum(i + 1 for i in range(8))
    loss = mean_loss(make_sequences(), World(ranks), make_config(ranks=ranks))
    assert loss == pytest.approx(expected, rel=1e-6)


def test_nothing_before_the_first_token_can_predict_it() -> None:
    with pytest.raises(AssertionError, match="first token"):
        sequence("a", torch.tensor([1]), torch.tensor([True]))
