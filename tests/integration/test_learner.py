"""Whole updates: splits agree, checkpoints continue with the same bits, the reference comes and
goes, exported folders are what went in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from configs.errors import UserError
from configs.schema import AlgorithmSettings, LearnerSettings
from model.loading import load_model
from model.torch_learner import TorchLearner
from tests.integration.ranks import run_ranks
from tests.learner_samples import packed, random_samples
from tests.models import save_tiny_deepseek, save_tiny_llama

pytestmark = pytest.mark.integration

LEARNING_RATE = 2e-4
ALGORITHM = AlgorithmSettings(kl_coef=0.001)
CLIP = 0.05  # well below the norms that occur, so that a wrong norm would show


def settings(**changes: Any) -> LearnerSettings:
    return LearnerSettings(dtype="float32", gradient_clip=CLIP).model_copy(update=changes)


def build(folder: str, learner: LearnerSettings, rank: int, address: str) -> Any:
    from model.learner import DeepSpeedLearner

    return DeepSpeedLearner(folder, learner, ALGORITHM, rank=rank, address=address)


def mini_batch(step: int, ranks: int = 1) -> list[Any]:
    return packed(random_samples(seed=step), loss="grpo", ranks=ranks)


def weights(learner: Any) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in learner.export()}


def exercise(rank: int, address: str, folder: str, aside: str, cases: list[Any]) -> list[Any]:
    return [
        exercise_one(rank, address, folder, f"{aside}/{number}", case)
        for number, case in enumerate(cases)
    ]


def exercise_one(
    rank: int, address: str, folder: str, aside: str, learner_settings: LearnerSettings
) -> dict[str, Any]:
    """What a run does, on one configuration; the checks are made by the tests."""
    ranks = learner_settings.ranks
    learner = build(folder, learner_settings, rank, address)
    rows = mini_batch(100, ranks)[rank]
    result: dict[str, Any] = {"initial": learner.log_probs(rows, "policy")}
    result["metrics"] = [
        learner.update(mini_batch(step, ranks)[rank], LEARNING_RATE) for step in range(5)
    ]
    result["trained"] = learner.log_probs(rows, "policy")
    before = weights(learner)
    result["reference"] = learner.log_probs(rows, "reference")
    after = weights(learner)
    result["same_weights"] = all(torch.equal(before[n], after[n]) for n in after)
    result["weights"] = after
    learner.save_model(f"{aside}/model")
    learner.refresh_reference()
    learner.save(f"{aside}/state")
    learner.offload()
    result["bytes_after_offload"] = sum(
        p.untyped_storage().nbytes() for p in learner._engine.module.parameters()
    )
    result["largest_left"] = largest_storage(learner._engine.optimizer)
    learner.reload()
    result["undisturbed"] = continued(learner, rank, ranks)
    learner.load(f"{aside}/state")
    result["same_learner"] = continued(learner, rank, ranks)
    fresh = build(folder, learner_settings, rank, address)
    fresh.load(f"{aside}/state")
    result["restarted"] = continued(fresh, rank, ranks)
    return result


def largest_storage(holder: Any) -> tuple[int, str]:
    """Bytes and place of the largest tensor in the attributes of an object, whatever they are
    nested in."""
    found = [(0, "none")]
    pending: list[tuple[str, Any]] = list(vars(holder).items())
    while pending:
        name, value = pending.pop()
        if isinstance(value, torch.Tensor) and not value.is_meta:
            found.append((value.untyped_storage().nbytes(), name))
        elif isinstance(value, dict):
            pending += [(f"{name}[...]", each) for each in value.values()]
        elif isinstance(value, list | tuple):
            pending += [(f"{name}[...]", each) for each in value]
        elif type(value).__name__.startswith("IPGBucket"):
            pending += [(f"{name}.{key}", each) for key, each in vars(value).items()]
    return max(found)


def continued(learner: Any, rank: int, ranks: int) -> list[Any]:
    """Everything that two more updates lead to."""
    rows = mini_batch(100, ranks)[rank]
    metrics = [learner.update(mini_batch(step, ranks)[rank], 1e-3) for step in (5, 6)]
    return [
        metrics,
        *learner.log_probs(rows, "policy"),
        *learner.log_probs(rows, "reference"),
        *weights(learner).values(),
    ]


def identical(ours: list[Any], theirs: list[Any]) -> bool:
    same_tensors = all(torch.equal(a, b) for a, b in zip(ours[1:], theirs[1:], strict=True))
    return ours[0] == theirs[0] and same_tensors


ONE_RANK = [
    settings(),
    settings(router_bias_rate=0.001),
    settings(dtype="bfloat16"),
]
TWO_RANKS = [
    settings(ranks=2, zero_stage=3, expert_parallel=2),
    settings(ranks=2, zero_stage=2, expert_parallel=2, router_bias_rate=0.001),
    settings(ranks=2, zero_stage=1, expert_parallel=2, dtype="bfloat16"),
    settings(ranks=2, zero_stage=3, dtype="bfloat16"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_deepseek(tmp_path_factory.mktemp("model") / "deepseek")


@pytest.fixture(scope="module")
def dense_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("model") / "llama")


def single(
    rank: int, address: str, folder: str, dense: str, aside: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    return (
        exercise(rank, address, folder, aside, ONE_RANK),
        awkward(rank, address, folder, dense),
    )


@pytest.fixture(scope="module")
def single_process(
    folder: Path, dense_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    aside = str(tmp_path_factory.mktemp("one"))
    return run_ranks(single, 1, str(folder), str(dense_folder), aside)[0]


@pytest.fixture(scope="module")
def one_rank(single_process: Any) -> list[dict[str, Any]]:
    return single_process[0]


@pytest.fixture(scope="module")
def two_ranks(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """results[rank][configuration]."""
    return run_ranks(exercise, 2, str(folder), str(tmp_path_factory.mktemp("two")), TWO_RANKS)


def test_five_updates_equal_the_slow_learner(folder: Path, one_rank: list[Any]) -> None:
    slow = TorchLearner(folder, settings(), ALGORITHM)
    for step, metrics in enumerate(one_rank[0]["metrics"]):
        expected = slow.update(mini_batch(step)[0], LEARNING_RATE)
        for name, value in expected.items():
            assert metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-5), (step, name)
    for ours, theirs in zip(
        one_rank[0]["trained"], slow.log_probs(mini_batch(100)[0]), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)
    assert expected["actor/grad_norm"] > 2 * CLIP


@pytest.mark.parametrize(("split", "whole"), [(0, 0), (1, 1)], ids=["zero3_ep2", "zero2_ep2_bias"])
def test_two_ranks_equal_one(
    split: int, whole: int, one_rank: list[Any], two_ranks: list[Any]
) -> None:
    pairs = zip(two_ranks[0][split]["metrics"], one_rank[whole]["metrics"], strict=True)
    for ours, theirs in pairs:
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)


def test_bfloat16_follows_float32(one_rank: list[Any], two_ranks: list[Any]) -> None:
    exact = one_rank[0]
    for result in (one_rank[2], two_ranks[0][2], two_ranks[0][3]):
        for ours, theirs in zip(result["metrics"], exact["metrics"], strict=True):
            # Plain torch in bfloat16 is 9 % off in the loss and 46 % in the norm on this data: the
            # weights are large, and tokens change their experts.
            assert ours["actor/loss"] == pytest.approx(theirs["actor/loss"], rel=0.12)
            assert ours["actor/grad_norm"] == pytest.approx(theirs["actor/grad_norm"], rel=0.4)
        assert result["weights"]["lm_head.weight"].dtype == torch.bfloat16
        bias = result["weights"]["model.layers.1.mlp.gate.e_score_correction_bias"]
        assert torch.equal(
            bias, exact["weights"]["model.layers.1.mlp.gate.e_score_correction_bias"]
        )


def all_results(one_rank: list[Any], two_ranks: list[Any]) -> list[dict[str, Any]]:
    return [*one_rank, *two_ranks[0], *two_ranks[1]]


def test_continues_with_the_same_bits(one_rank: list[Any], two_ranks: list[Any]) -> None:
    for result in all_results(one_rank, two_ranks):
        assert identical(result["undisturbed"], result["same_learner"])
        assert identical(result["undisturbed"], result["restarted"])


def test_offload_frees_weights_optimizer_and_gradients(
    one_rank: list[Any], two_ranks: list[Any]
) -> None:
    """That they come back is part of the test above."""
    for result in all_results(one_rank, two_ranks):
        assert result["bytes_after_offload"] == 0
        size, place = result["largest_left"]
        assert size < 1024, f"{place} still has {size} bytes"


def test_reference_comes_and_goes(one_rank: list[Any], two_ranks: list[Any]) -> None:
    for result in all_results(one_rank, two_ranks):
        assert result["same_weights"]
        for initial, trained, reference in zip(
            result["initial"], result["trained"], result["reference"], strict=True
        ):
            assert torch.equal(initial, reference)
            assert (trained - reference).abs().max() > 1e-3


def test_a_refreshed_reference_is_the_policy_of_that_moment(
    one_rank: list[Any], two_ranks: list[Any]
) -> None:
    """Also after a checkpoint, offloading and two more updates, sharded or not."""
    for result in all_results(one_rank, two_ranks):
        trained = result["trained"]
        _, *values = result["undisturbed"]
        policy, reference = values[: len(trained)], values[len(trained) : 2 * len(trained)]
        for kept, now, before in zip(reference, policy, trained, strict=True):
            assert torch.equal(kept, before)
            assert (now - before).abs().max() > 1e-3


def test_exported_names_and_shapes_are_those_of_the_checkpoint(
    folder: Path, one_rank: list[Any], two_ranks: list[Any]
) -> None:
    original = load_file(folder / "model.safetensors")
    for result in (*one_rank, *two_ranks[0]):
        assert {n: t.shape for n, t in result["weights"].items()} == {
            n: t.shape for n, t in original.items()
        }
    assert all(not result["weights"] for result in two_ranks[1])  # only rank 0 sends


def test_saved_folder_has_the_trained_policy(
    folder: Path, two_ranks: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    saved = next(tmp_path_factory.getbasetemp().glob("two*/0/model"))
    config = json.loads((saved / "config.json").read_text())
    assert config == json.loads((folder / "config.json").read_text())
    assert config["topk_method"] == "noaux_tc"
    model = load_model(saved, torch.float32, attention="eager")
    expected = [two_ranks[rank][0]["trained"] for rank in range(2)]
    for rank, rows in enumerate(mini_batch(100, 2)):
        for row, log_probs in zip(rows, expected[rank], strict=True):
            start = 0
            for ids in row.token_ids.split(list(row.segment_lengths)):
                with torch.no_grad():
                    logits = model(input_ids=ids[None]).logits[0, :-1]
                theirs = logits.log_softmax(-1).gather(-1, ids[1:, None])[:, 0]
                loss_mask = row.loss_mask[start + 1 : start + len(ids)]
                ours = log_probs[start + 1 : start + len(ids)]
                torch.testing.assert_close(ours, theirs * loss_mask, atol=1e-4, rtol=0)
                start += len(ids)


def test_router_bias_moves_against_the_load(folder: Path, one_rank: list[Any]) -> None:
    name = "model.layers.1.mlp.gate.e_score_correction_bias"
    start = load_file(folder / "model.safetensors")[name]
    assert torch.equal(one_rank[0]["weights"][name], start)  # rate 0
    moved = (one_rank[1]["weights"][name] - start) / 0.001
    assert moved.abs().max() > 0.5
    torch.testing.assert_close(moved, moved.round(), atol=1e-3, rtol=0)  # whole steps
    assert moved.abs().max() <= 5.001  # at most one per update


def awkward(rank: int, address: str, folder: str, dense: str) -> dict[str, Any]:
    """Padding rows, a tied model, a gradient that is not finite."""
    learner = build(folder, settings(zero_stage=3), rank, address)
    rows = packed(random_samples(2), loss="grpo", multiple=4)[0]
    assert len(rows) == 4
    padded = learner.update(rows, 0.0)
    plain = learner.update(rows[:1], 0.0)
    tied = build(dense, settings(), rank, address)
    names = sorted(name for name, _ in tied.export())
    before = weights(tied)
    rows[0].advantages[:] = float("nan")
    with pytest.raises(FloatingPointError, match="gradient norm is nan"):
        tied.update(rows, LEARNING_RATE)
    after = weights(tied)
    same = all(torch.equal(before[n], after[n]) for n in before)
    return {"padded": padded, "plain": plain, "names": names, "same": same}


def test_awkward_inputs(dense_folder: Path, single_process: Any) -> None:
    result = single_process[1]
    for name, value in result["padded"].items():
        assert value == pytest.approx(result["plain"][name], rel=1e-6), name
    assert result["names"] == sorted(load_file(dense_folder / "model.safetensors"))
    assert result["same"]


def test_folder_without_weights_is_refused_first(tmp_path: Path) -> None:
    from model.learner import DeepSpeedLearner

    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="safetensors"):
        DeepSpeedLearner(tmp_path, settings(), ALGORITHM)
