"""Which completions are trained on, with which advantages, and in which mini-batch."""

from __future__ import annotations

import pytest
import torch

from configs.schema import AlgorithmSettings
from rl.samples import (
    build_samples,
    shuffle_rewards,
    split_mini_batches,
    with_old_log_probs,
    with_reference_log_probs,
    zero_variance,
)
from tests.unit.rl.groups import group_of


def left_out(metrics: object) -> dict[str, float]:
    assert isinstance(metrics, dict)
    prefix = "samples/left_out/"
    return {name.removeprefix(prefix): n for name, n in metrics.items() if name.startswith(prefix)}


def test_a_sample_by_hand() -> None:
    batch = build_samples([group_of([1.0, 0.0])], algorithm=AlgorithmSettings(advantage="mean"))
    first, second = batch.samples
    assert (first.prompt_id, first.sample_index, first.policy_version) == ("p", 0, 3)
    assert first.token_ids.tolist() == [5, 6, 7, 10, 11]
    assert first.token_ids.dtype == torch.int64
    assert first.loss_mask.tolist() == [False, False, False, True, True]
    assert first.behaviour_log_probs.tolist() == [0.0, 0.0, 0.0, -0.5, -1.0]
    assert first.behaviour_log_probs.dtype == torch.float32
    assert (first.advantage, second.advantage) == (0.5, -0.5)
    assert first.old_log_probs is None
    assert first.reference_log_probs is None


def test_each_completion_is_left_out_for_its_own_reason() -> None:
    groups = [
        group_of([1.0, None, 0.0], name="a"),
        group_of([1.0, 1.0, 1.0], name="b"),
        group_of([None, 1.0], name="c"),
        group_of([0.0, 1.0], name="d", finish_reasons=["length", "stop"]),
    ]
    settings = AlgorithmSettings(advantage="mean", truncated="mask")
    batch = build_samples(groups, algorithm=settings)
    found = [(sample.prompt_id, sample.sample_index) for sample in batch.samples]
    assert found == [("a", 0), ("a", 2), ("d", 1)]
    assert left_out(batch.metrics) == {"no_verdict": 3, "zero_variance": 3, "truncated": 1}
    assert batch.metrics["samples/trained"] == 3.0
    # The truncated completion is gone from the loss, but not from the baseline of 0.5.
    assert batch.samples[-1].advantage == 0.5


def test_keep_settings_keep() -> None:
    groups = [group_of([1.0, 1.0]), group_of([0.0, 1.0], finish_reasons=["length", "stop"])]
    settings = AlgorithmSettings(drop_zero_variance=False, truncated="keep")
    batch = build_samples(groups, algorithm=settings)
    assert len(batch.samples) == 4
    assert [sample.advantage for sample in batch.samples[:2]] == [0.0, 0.0]


def test_zero_variance_looks_at_verdicts_only() -> None:
    batch = build_samples([group_of([1.0, None, 1.0])], algorithm=AlgorithmSettings())
    assert batch.samples == []
    assert left_out(batch.metrics) == {"no_verdict": 1, "zero_variance": 2, "truncated": 0}
    assert not zero_variance([None, None])


def test_equal_partial_rewards_are_zero_variance_and_wrong_but_unequal_ones_are_not() -> None:
    """The filter looks at the reward, not at right and wrong."""
    groups = [group_of([0.5, 0.5], name="equal"), group_of([0.5, 0.0], name="unequal")]
    batch = build_samples(groups, algorithm=AlgorithmSettings())
    assert [sample.prompt_id for sample in batch.samples] == ["unequal", "unequal"]


def test_batch_normalisation_keeps_groups_of_equal_rewards() -> None:
    """Their advantages are not 0: the baseline is the batch's."""
    groups = [group_of([1.0, 1.0]), group_of([0.0, 0.0])]
    batch = build_samples(groups, algorithm=AlgorithmSettings(advantage="batch_mean_std"))
    advantages = [sample.advantage for sample in batch.samples]
    assert advantages == pytest.approx([1.0, 1.0, -1.0, -1.0], rel=1e-5)


def test_nothing_to_train_on() -> None:
    assert build_samples([], algorithm=AlgorithmSettings()).samples == []
    assert split_mini_batches([], num=4, seed=0) == []


def test_log_probs_of_the_prompt_are_zeroed() -> None:
    samples = build_samples([group_of([1.0, 0.0])], algorithm=AlgorithmSettings()).samples
    values = [torch.tensor([0.0, -9.0, -8.0, -7.0, -6.0])] * 2
    old = with_old_log_probs(samples, values)[0]
    reference = with_reference_log_probs(samples, values)[0]
    assert old.old_log_probs is not None
    assert old.old_log_probs.tolist() == [0.0, 0.0, 0.0, -7.0, -6.0]
    assert old.reference_log_probs is None
    assert reference.reference_log_probs is not None
    assert reference.reference_log_probs.tolist() == [0.0, 0.0, 0.0, -7.0, -6.0]
    assert reference.old_log_probs is None


@pytest.mark.parametrize(
    ("number", "num", "sizes"),
    [(8, 4, [2, 2, 2, 2]), (10, 4, [3, 3, 2, 2]), (3, 16, [1, 1, 1]), (5, 1, [5])],
)
def test_mini_batches_cover_the_samples_evenly(number: int, num: int, sizes: list[int]) -> None:
    groups = [group_of([1.0, 0.0], name=str(index)) for index in range(number)]
    samples = build_samples(groups, algorithm=AlgorithmSettings()).samples[::2]
    batches = split_mini_batches(samples, num=num, seed=0)
    assert [len(batch) for batch in batches] == sizes
    names = sorted(int(sample.prompt_id) for batch in batches for sample in batch)
    assert names == list(range(number))


def test_the_split_is_random_and_a_function_of_the_seed() -> None:
    groups = [group_of([1.0, 0.0], name=str(index)) for index in range(32)]
    samples = build_samples(groups, algorithm=AlgorithmSettings()).samples

    def split(seed: int) -> list[list[tuple[str, int]]]:
        batches = split_mini_batches(samples, num=4, seed=seed)
        return [[(s.prompt_id, s.sample_index) for s in batch] for batch in batches]

    assert split(1) == split(1)
    assert split(1) != split(2)
    # A group does not stay together: the two completions of a prompt share one of four
    # mini-batches by chance, in about 8 of 32 groups.
    together = sum(len(batch) - len({name for name, _ in batch}) for batch in split(1))
    assert 1 <= together <= 18


def test_shuffled_rewards_are_the_same_rewards_elsewhere() -> None:
    groups = [group_of([float(10 * g + i) for i in range(4)], name=str(g)) for g in range(5)]
    shuffled = shuffle_rewards(groups, 0)
    before = [score.reward for group in groups for score in group.scores]
    after = [score.reward for group in shuffled for score in group.scores]
    assert before != after
    assert sorted(before) == sorted(after)
    assert [group.completions for group in shuffled] == [group.completions for group in groups]
    assert shuffled == shuffle_rewards(groups, 0)
    assert shuffled != shuffle_rewards(groups, 1)
