"""Reward models: the gradient is the same whatever the split, and what is saved scores the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from configs.schema import LearnerSettings
from rl.judged import Judged, pack_judged, scores_of_units
from tests.integration.ranks import run_ranks
from tests.models import VOCAB_SIZE, save_tiny_deepseek

pytestmark = pytest.mark.integration

# ZeRO stage, expert parallel, rows per micro-batch, row tokens.
SPLITS = [(0, 2, 1, 48), (3, 1, 2, 96)]


def units(kind: str, count: int = 7) -> list[Judged]:
    generator = torch.Generator().manual_seed(3)

    def tokens() -> Tensor:
        length = int(torch.randint(3, 21, (), generator=generator))
        return torch.randint(3, VOCAB_SIZE, (length,), generator=generator)

    if kind == "pairwise":
        return [Judged(str(i), (tokens(), tokens()), 1.0) for i in range(count)]
    return [Judged(str(i), (tokens(),), float(i % 3 == 0)) for i in range(count)]


def by_learner(rank: int, address: str, folder: Path, target: Path) -> list[Any]:
    from model.reward_learner import DeepSpeedRewardLearner
    from tests.integration.test_learner_gradients import full_gradient

    results = []
    for zero_stage, expert_parallel, rows_per_pass, row_tokens in SPLITS:
        learner = DeepSpeedRewardLearner(
            folder,
            LearnerSettings(
                dtype="float32",
                ranks=2,
                zero_stage=zero_stage,
                expert_parallel=expert_parallel,
                rows_per_micro_batch=rows_per_pass,
            ),
            None,
            rank=rank,
            address=address,
        )
        for kind in ("pairwise", "pointwise"):
            rows = pack_judged(
                units(kind), row_tokens=row_tokens, num_ranks=2, rows_multiple_of=rows_per_pass
            )
            sums = learner._accumulate(rows[rank])
            gradient = full_gradient(learner)
            learner._set_learning_rate(0.0)
            learner._engine.step()  # clears the gradients and leaves the weights alone
            learner._balance.finish_update(0.0)
            results.append((sums, gradient, rows[rank], learner.scores(rows[rank])))
    learner.update(rows[rank], 1e-3)
    scores = learner.scores(rows[rank])
    learner.save_model(target)
    return [results, rows[rank], scores]


def twin(folder: Path, kind: str) -> tuple[float, dict[str, Tensor]]:
    """transformers' own class for one label, one sequence at a time, the losses written out."""
    from transformers import AutoModelForCausalLM
    from transformers.core_model_loading import revert_weight_conversion

    from model.scorer import new_scorer

    causal_lm = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", experts_implementation="eager"
    )
    head = new_scorer(causal_lm).score.weight

    def score(tokens: Tensor) -> Tensor:
        hidden = causal_lm.model(input_ids=tokens[None], use_cache=False).last_hidden_state
        return hidden[0, -1] @ head[0]

    losses = []
    for unit in units(kind):
        if kind == "pairwise":
            losses.append(-logsigmoid(score(unit.segments[0]) - score(unit.segments[1])))
        else:
            value = score(unit.segments[0])
            losses.append(-logsigmoid(value if unit.label else -value))
    loss = torch.stack(losses).mean()
    loss.backward()
    gradients = {f"model.{name}": p.grad for name, p in causal_lm.model.named_parameters()}
    gradients["score.weight"] = head.grad
    return loss.item(), revert_weight_conversion(causal_lm, gradients)


def test_gradient_and_saved_scores(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    from model.reward_inference import RewardInference
    from tests.integration.test_learner_gradients import relative_error

    folder, target = save_tiny_deepseek(tmp_path / "base"), tmp_path / "reward"
    ranks = run_ranks(by_learner, 2, folder, target)
    kinds = ["pairwise", "pointwise"] * len(SPLITS)
    for kind, (sums, gradient, *_) in zip(kinds, ranks[0][0], strict=True):
        loss, expected = twin(folder, kind)
        assert sums["actor/loss"] == pytest.approx(loss, rel=1e-5), kind
        assert relative_error(gradient, expected) < 1e-5, kind
    # Serving: another process, another packing, a model from the disk.
    trained = scores_of_units([r[1] for r in ranks], [r[2] for r in ranks])
    sequences = [unit.segments[0].tolist() for unit in units("pointwise")]
    served = RewardInference(target, "float32", device="cpu", row_tokens=32).scores(sequences)
    assert served == pytest.approx([score for (score,) in trained], abs=1e-5)
    model = AutoModelForSequenceClassification.from_pretrained(target)
    with torch.no_grad():
        theirs = [model(torch.tensor([s])).logits.item() for s in sequences]
    assert theirs == pytest.approx(served, abs=1e-4)
    assert max(served) - min(served) > 0.1
