"""The gradient is the same number whatever the split, and equal to the slow learner's."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from configs.schema import AlgorithmSettings, LearnerSettings
from model.torch_learner import TorchLearner
from rl.losses import LOSSES
from tests.integration.ranks import run_ranks
from tests.learner_samples import packed, random_samples
from tests.models import save_tiny_deepseek, save_tiny_llama

pytestmark = pytest.mark.integration

# (model, ZeRO stage, expert parallel, [(loss, rows per micro-batch, row tokens)]): every value of
# one setting meets every value of another. Stage 2 runs with gradient checkpointing. All of it runs
# twice, with each sample on its own and with prompts shared.
TWO_RANKS = [
    ("deepseek", 0, 1, [("grpo", 1, 64), ("gspo", 2, 28), ("dapo", 4, 28), ("sft", 1, 28)]),
    ("deepseek", 1, 2, [("dr_grpo", 2, 64), ("grpo", 4, 28), ("cispo", 1, 28)]),
    ("deepseek", 2, 1, [("cispo", 4, 64), ("rloo", 1, 28), ("grpo", 2, 28), ("sft", 4, 28)]),
    ("deepseek", 2, 2, [("dapo", 2, 28), ("gspo", 1, 64)]),
    ("deepseek", 3, 1, [("reinforce_pp", 1, 64), ("gspo", 4, 28), ("dr_grpo", 2, 28)]),
    (
        "deepseek",
        3,
        2,
        [
            ("rloo", 2, 64),
            ("cispo", 4, 28),
            ("reinforce_pp", 1, 28),
            ("dapo", 1, 64),
            ("sft", 2, 64),
        ],
    ),
    ("llama", 1, 1, [("grpo", 2, 64)]),
    ("llama", 3, 1, [("gspo", 4, 28)]),
]
ONE_RANK = [
    ("deepseek", 0, 1, [(loss, 2, 64) for loss in LOSSES]),
    ("deepseek", 0, 1, [("sft", rows, tokens) for rows in (1, 2, 4) for tokens in (28, 64)]),
    ("deepseek", 3, 1, [("grpo", 1, 28), ("gspo", 4, 64)]),
]


def algorithm(loss: str) -> AlgorithmSettings | None:
    if loss == "sft":
        return None
    return AlgorithmSettings(loss=loss, kl_coef=0.05, clip_high=0.28)


def full_gradient(learner: Any) -> dict[str, Tensor]:
    """The accumulated gradient under checkpoint names, before it is clipped or used."""
    from deepspeed.utils import safe_get_full_grad
    from transformers.core_model_loading import revert_weight_conversion

    from model.exporter import _undo_expert_parallel

    module = learner._engine.module
    gradients = {name: safe_get_full_grad(p).clone() for name, p in module.named_parameters()}
    return revert_weight_conversion(learner._causal_lm, _undo_expert_parallel(gradients, module))


def gradients_of(rank: int, address: str, folder: Path, cases: list[Any], ranks: int) -> list[Any]:
    from model.learner import DeepSpeedLearner

    results = []
    for model, zero_stage, expert_parallel, variants in cases:
        learner = DeepSpeedLearner(
            folder / model,
            LearnerSettings(
                dtype="float32",
                ranks=ranks,
                zero_stage=zero_stage,
                expert_parallel=expert_parallel,
                gradient_checkpointing=zero_stage == 2,
                log_prob_chunk_tokens=16,
            ),
            AlgorithmSettings(),
            rank=rank,
            address=address,
        )
        for (loss, rows_per_pass, row_tokens), share in product(variants, (False, True)):
            learner._algorithm = algorithm(loss)
            learner._settings = learner._settings.model_copy(
                update={"rows_per_micro_batch": rows_per_pass, "share_prefixes": share}
            )
            rows = packed(
                random_samples(), loss=loss, ranks=ranks, row_tokens=row_tokens, share=share
            )[rank]
            sums = learner._accumulate(rows)
            gradient = full_gradient(learner)
            learner._set_learning_rate(0.0)
            learner._engine.step()  # clears the gradients and leaves the weights alone
            if rank == 0:
                results.append((sums, gradient))
    return results


def expected(folder: Path, loss: str) -> tuple[dict[str, float], dict[str, Tensor]]:
    from transformers.core_model_loading import revert_weight_conversion

    learner = TorchLearner(folder, LearnerSettings(dtype="float32"), algorithm(loss))
    if loss == "sft":
        sums = likelihood_by_hand(learner.model)
        gradients = {name: p.grad for name, p in learner.model.named_parameters()}
        return sums, revert_weight_conversion(learner.model, gradients)
    sums = learner.accumulate(packed(random_samples(), loss=loss)[0])
    gradients = {name: p.grad for name, p in learner.model.named_parameters()}
    return sums, revert_weight_conversion(learner.model, gradients)


def likelihood_by_hand(model: Any) -> dict[str, float]:
    """Mean negative log-likelihood with its gradient, one sample at a time and nothing shared."""
    samples = random_samples()
    total = sum(int(sample.loss_mask.sum()) for sample in samples)
    loss = entropy = torch.zeros(())
    for sample in samples:
        logits = model(input_ids=sample.token_ids[None], use_cache=False).logits[0, :-1]
        targets = sample.token_ids[1:].masked_fill(~sample.loss_mask[1:], -100)
        loss = loss + torch.nn.functional.cross_entropy(logits, targets, reduction="sum") / total
        with torch.no_grad():
            entropies = torch.distributions.Categorical(logits=logits).entropy()
            entropy = entropy + entropies[sample.loss_mask[1:]].sum() / total
    loss.backward()
    return {"actor/loss": loss.item(), "actor/entropy": entropy.item(), "weight": 1.0}


def relative_error(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    assert set(ours) == set(theirs)
    difference = sum((ours[n] - theirs[n]).double().square().sum() for n in theirs)
    return float((difference / sum(g.double().square().sum() for g in theirs.values())).sqrt())


@pytest.mark.parametrize(("ranks", "cases"), [(1, ONE_RANK), (2, TWO_RANKS)], ids=["1", "2"])
def test_gradient_does_not_depend_on_the_split(
    tmp_path: Path, ranks: int, cases: list[Any]
) -> None:
    save_tiny_deepseek(tmp_path / "deepseek")
    save_tiny_llama(tmp_path / "llama")
    results = iter(run_ranks(gradients_of, ranks, tmp_path, cases, ranks)[0])
    for model, zero_stage, expert_parallel, variants in cases:
        for (loss, rows_per_pass, row_tokens), share in product(variants, (False, True)):
            sums, gradient = next(results)
            split = (ranks, zero_stage, expert_parallel, rows_per_pass, row_tokens, share)
            case = (model, loss, *split)
            twin_sums, twin_gradient = expected(tmp_path / model, loss)
            assert relative_error(gradient, twin_gradient) < 1e-5, case
            assert sums == pytest.approx(twin_sums, rel=1e-4, abs=1e-5), case


def test_losses_have_different_gradients(tmp_path: Path) -> None:
    """Negative control: the bound above can tell the losses from one another."""
    folder = save_tiny_llama(tmp_path / "model")
    gradients = {loss: expected(folder, loss)[1] for loss in ("grpo", "gspo", "dapo", "cispo")}
    for loss in ("gspo", "dapo", "cispo"):
        assert relative_error(gradients[loss], gradients["grpo"]) > 1e-2
