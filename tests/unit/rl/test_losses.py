"""Losses against constants worked out by hand, closed-form gradients and the slow twin."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rl.losses import (
    AGGREGATIONS,
    KL_ESTIMATORS,
    LOSSES,
    LossInputs,
    LossOutputs,
    importance_weights,
    policy_loss,
    token_weights,
)
from tests.unit.rl.naive import Answer, naive_loss

PPO_LOSSES = ["grpo", "dr_grpo", "dapo", "reinforce_pp"]


def inputs_for(
    ratios: list[float],
    advantages: list[float],
    *,
    segments: list[int] | None = None,
    weights: list[float] | None = None,
    old: float = -1.0,
    reference: list[float] | None = None,
) -> LossInputs:
    """Tokens with given ratios to an old policy that gives each of them the same log-prob."""
    size = len(ratios)
    old_T = torch.full((size,), old, dtype=torch.float64)
    log_ratio_T = torch.tensor(ratios, dtype=torch.float64).log()
    segments = segments or [0] * size
    return LossInputs(
        log_probs_T=(old_T + log_ratio_T).requires_grad_(),
        old_log_probs_T=old_T,
        behaviour_log_probs_T=old_T.clone(),
        reference_log_probs_T=None if reference is None else torch.tensor(reference).double(),
        advantages_T=torch.tensor(advantages, dtype=torch.float64),
        weights_T=torch.tensor(weights or [1.0] * size, dtype=torch.float64),
        loss_mask_T=torch.ones(size, dtype=torch.bool),
        segment_ids_T=torch.tensor(segments),
        num_segments=max(segments) + 1,
    )


def loss_of(inputs: LossInputs, loss: str = "grpo", **changes: object) -> LossOutputs:
    keywords: dict = {
        "clip_low": 0.2,
        "clip_high": 0.2,
        "kl_coef": 0.0,
        "kl_estimator": "k3",
        "importance_correction": "none",
        "importance_cap": 2.0,
    }
    return policy_loss(inputs, loss=loss, **(keywords | changes))


def gradient(inputs: LossInputs, loss: str = "grpo", **changes: object) -> list[float]:
    (grad_T,) = torch.autograd.grad(loss_of(inputs, loss, **changes).loss, inputs.log_probs_T)
    return grad_T.tolist()


@pytest.mark.parametrize("loss", PPO_LOSSES)
@pytest.mark.parametrize(
    ("ratio", "advantage", "expected_loss", "expected_gradient"),
    [
        pytest.param(1.0, 2.0, -2.0, -2.0, id="on policy: REINFORCE"),
        pytest.param(1.1, 2.0, -2.2, -2.2, id="inside"),
        pytest.param(1.5, 2.0, -2.6, 0.0, id="clipped above, A > 0: 1.3 A"),
        pytest.param(1.5, -2.0, 3.0, 3.0, id="above, A < 0: not clipped"),
        pytest.param(0.5, -2.0, 1.6, 0.0, id="clipped below, A < 0: 0.8 A"),
        pytest.param(0.5, 2.0, -1.0, -1.0, id="below, A > 0: not clipped"),
        pytest.param(1.7, 0.0, 0.0, 0.0, id="no advantage"),
    ],
)
def test_token_clip_by_hand(
    loss: str, ratio: float, advantage: float, expected_loss: float, expected_gradient: float
) -> None:
    """d(ratio A)/d(log pi) = ratio A where the surrogate is not clipped, 0 where it is."""
    inputs = inputs_for([ratio], [advantage])
    bounds = {"clip_low": 0.2, "clip_high": 0.3}
    assert loss_of(inputs, loss, **bounds).loss.item() == pytest.approx(expected_loss, abs=1e-12)
    assert gradient(inputs, loss, **bounds) == pytest.approx([expected_gradient], abs=1e-12)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected_loss", "expected_gradient"),
    [
        (12.0, 1.0, -11.0, 0.0),
        (10.9, 1.0, -10.9, -10.9),
        (12.0, -1.0, 12.0, 12.0),
        (1e-3, -1.0, 1e-3, 1e-3),
        (1e-3, 1.0, -1e-3, -1e-3),
    ],
)
def test_epsilon_10_is_the_interval_from_minus_9_to_11(
    ratio: float, advantage: float, expected_loss: float, expected_gradient: float
) -> None:
    inputs = inputs_for([ratio], [advantage])
    bounds = {"clip_low": 10.0, "clip_high": 10.0}
    assert loss_of(inputs, **bounds).loss.item() == pytest.approx(expected_loss)
    assert gradient(inputs, **bounds) == pytest.approx([expected_gradient])


def test_gspo_by_hand() -> None:
    """Two tokens with ratios 4 and 1 make s = sqrt(4) = 2; each carries half of s A."""
    inputs = inputs_for([4.0, 1.0], [3.0, 3.0], weights=[0.5, 0.5])
    wide = {"clip_low": 0.9, "clip_high": 2.0}
    assert loss_of(inputs, "gspo", **wide).loss.item() == pytest.approx(-6.0)
    # ds/d(log pi_t) = s / |o|: the gradient is the same for both tokens.
    assert gradient(inputs, "gspo", **wide) == pytest.approx([-3.0, -3.0])
    assert loss_of(inputs, "gspo").loss.item() == pytest.approx(-3.6)
    assert gradient(inputs, "gspo") == [0.0, 0.0]


def test_gspo_keeps_the_samples_of_a_row_apart() -> None:
    inputs = inputs_for(
        [4.0, 1.0, 0.5], [3.0, 3.0, 1.0], segments=[0, 0, 1], weights=[0.25, 0.25, 0.5]
    )
    wide = {"clip_low": 0.9, "clip_high": 2.0}
    assert loss_of(inputs, "gspo", **wide).loss.item() == pytest.approx(-0.5 * 6.0 - 0.5 * 0.5)
    assert gradient(inputs, "gspo", **wide) == pytest.approx([-1.5, -1.5, -0.25])


@pytest.mark.parametrize(
    ("ratio", "weight"), [(1.1, 1.1), (5.0, 1.2), (0.1, 0.8)], ids=["inside", "high", "low"]
)
@pytest.mark.parametrize("advantage", [2.0, -2.0])
def test_cispo_gradient_is_the_clipped_ratio_as_a_constant(
    ratio: float, weight: float, advantage: float
) -> None:
    """Clipped tokens keep a gradient; none flows through the ratio."""
    inputs = inputs_for([ratio], [advantage])
    log_prob = -1.0 + math.log(ratio)
    loss = loss_of(inputs, "cispo").loss.item()
    assert loss == pytest.approx(-weight * advantage * log_prob)
    assert gradient(inputs, "cispo") == pytest.approx([-weight * advantage])


def test_rloo_ignores_the_ratio() -> None:
    inputs = inputs_for([5.0, 0.1], [2.0, -1.0])
    assert gradient(inputs, "rloo") == [-2.0, 1.0]
    expected = -2.0 * (-1.0 + math.log(5.0)) + 1.0 * (-1.0 + math.log(0.1))
    assert loss_of(inputs, "rloo").loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_only_the_policy_in_training_gets_a_gradient(loss: str) -> None:
    inputs = inputs_for([1.1, 0.9], [1.0, -1.0], reference=[-1.2, -0.7])
    names = ("old_log_probs_T", "behaviour_log_probs_T", "reference_log_probs_T", "advantages_T")
    leaves = {name: getattr(inputs, name).clone().requires_grad_() for name in names}
    outputs = loss_of(
        replace(inputs, **{name: leaf.detach() for name, leaf in leaves.items()}),
        loss,
        kl_coef=0.1,
        importance_correction="token",
    )
    outputs.loss.backward()
    assert inputs.log_probs_T.grad is not None
    assert inputs.log_probs_T.grad.abs().min() > 0
    assert not any(value.requires_grad for value in outputs.metrics.values())


@pytest.mark.parametrize("correction", ["token", "sequence"])
def test_no_gradient_through_the_importance_weight(correction: str) -> None:
    inputs = inputs_for([1.0, 1.0], [1.0, 1.0])
    old_T = (inputs.old_log_probs_T + 0.3).requires_grad_()
    inputs = replace(inputs, old_log_probs_T=old_T)
    weights_T = importance_weights(inputs, correction=correction, cap=2.0)
    assert not weights_T.requires_grad
    assert (weights_T > 1.0).all()


def test_importance_weights_by_hand() -> None:
    """Gaps of log 1.5 and log 0.8 in one sample, log 5 in another, against a cap of 2."""
    inputs = inputs_for([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], segments=[0, 0, 1])
    gaps = torch.tensor([1.5, 0.8, 5.0], dtype=torch.float64).log()
    inputs = replace(inputs, behaviour_log_probs_T=inputs.old_log_probs_T - gaps)

    def weights(correction: str, cap: float) -> list[float]:
        return importance_weights(inputs, correction=correction, cap=cap).tolist()

    assert weights("none", 2.0) == [1.0, 1.0, 1.0]
    assert weights("token", 2.0) == pytest.approx([1.5, 0.8, 2.0])
    assert weights("sequence", 2.0) == pytest.approx([1.2, 1.2, 2.0])
    assert weights("sequence", 1.1) == pytest.approx([1.1, 1.1, 1.1])


def test_importance_weight_scales_the_policy_term_and_not_the_kl() -> None:
    inputs = inputs_for([1.0], [1.0], reference=[-1.5])
    inputs = replace(inputs, behaviour_log_probs_T=inputs.old_log_probs_T - math.log(1.5))
    kl = math.exp(-0.5) + 0.5 - 1.0
    outputs = loss_of(inputs, kl_coef=0.1, importance_correction="token")
    assert outputs.loss.item() == pytest.approx(-1.5 + 0.1 * kl)


@pytest.mark.parametrize(
    ("estimator", "value", "slope"),
    [("k1", 0.5, 1.0), ("k2", 0.125, 0.5), ("k3", math.exp(-0.5) - 0.5, 1.0 - math.exp(-0.5))],
)
def test_kl_estimators_by_hand(estimator: str, value: float, slope: float) -> None:
    """At log pi - log ref = 0.5; slopes with respect to log pi."""
    log_probs_T = torch.tensor([-1.0], dtype=torch.float64, requires_grad=True)
    kl_T = KL_ESTIMATORS[estimator](log_probs_T, torch.tensor([-1.5], dtype=torch.float64))
    kl_T.sum().backward()
    assert kl_T.item() == pytest.approx(value, abs=1e-12)
    assert log_probs_T.grad is not None
    assert log_probs_T.grad.item() == pytest.approx(slope, abs=1e-12)


def test_k1_and_k3_are_unbiased_for_the_kl() -> None:
    """Expectation over the whole of a small vocabulary, weighted by pi."""
    generator = torch.Generator().manual_seed(0)
    pi, ref = torch.randn(2, 50, generator=generator, dtype=torch.float64).log_softmax(-1)
    exact = (pi.exp() * (pi - ref)).sum().item()
    assert (pi.exp() * KL_ESTIMATORS["k1"](pi, ref)).sum().item() == pytest.approx(exact)
    assert (pi.exp() * KL_ESTIMATORS["k3"](pi, ref)).sum().item() == pytest.approx(exact)
    assert (KL_ESTIMATORS["k3"](pi, ref) >= 0).all()


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_nothing_outside_the_mask_matters(loss: str) -> None:
    """Not even infinities: prompt tokens can have any log-prob."""
    clean = inputs_for([1.1, 0.9], [1.0, 1.0], weights=[0.5, 0.5], reference=[-1.2, -0.7])
    extra = torch.tensor([-300.0, -math.inf], dtype=torch.float64)
    zeros = torch.zeros(2, dtype=torch.float64)
    log_probs_T = torch.cat([extra, clean.log_probs_T.detach()]).requires_grad_()
    assert clean.reference_log_probs_T is not None
    dirty = replace(
        clean,
        log_probs_T=log_probs_T,
        old_log_probs_T=torch.cat([zeros, clean.old_log_probs_T]),
        behaviour_log_probs_T=torch.cat([zeros, clean.behaviour_log_probs_T]),
        reference_log_probs_T=torch.cat([-extra, clean.reference_log_probs_T]),
        advantages_T=torch.ones(4, dtype=torch.float64),
        weights_T=torch.cat([zeros, clean.weights_T]),
        loss_mask_T=torch.tensor([False, False, True, True]),
        segment_ids_T=torch.zeros(4, dtype=torch.int64),
    )
    expected, outputs = loss_of(clean, loss, kl_coef=0.1), loss_of(dirty, loss, kl_coef=0.1)
    assert outputs.loss.item() == pytest.approx(expected.loss.item(), rel=1e-14)
    outputs.loss.backward()
    assert log_probs_T.grad is not None
    expected_gradient = gradient(clean, loss, kl_coef=0.1)
    assert log_probs_T.grad.tolist() == pytest.approx([0.0, 0.0, *expected_gradient], rel=1e-14)
    for name, value in outputs.metrics.items():
        assert value.item() == pytest.approx(expected.metrics[name].item(), rel=1e-14), name


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_an_empty_mask_gives_zero_loss_and_gradient(loss: str) -> None:
    inputs = inputs_for([2.0], [1.0], weights=[0.0], reference=[-1.0])
    inputs = replace(inputs, weights_T=torch.zeros(1).double(), loss_mask_T=torch.tensor([False]))
    assert loss_of(inputs, loss, kl_coef=0.1).loss.item() == 0.0
    assert gradient(inputs, loss, kl_coef=0.1) == [0.0]


def float32_token(advantage: float) -> LossInputs:
    """A token whose ratio, exp(300), overflows float32."""
    inputs = inputs_for([1.0], [advantage])
    return replace(
        inputs,
        log_probs_T=torch.tensor([-1.0], requires_grad=True),
        old_log_probs_T=torch.tensor([-301.0]),
        behaviour_log_probs_T=torch.tensor([-301.0]),
        advantages_T=torch.tensor([advantage]),
        weights_T=torch.tensor([1.0]),
    )


@pytest.mark.parametrize(
    ("loss", "advantage", "expected_loss", "expected_gradient"),
    [
        *[(loss, 1.0, -1.2, 0.0) for loss in (*PPO_LOSSES, "gspo")],
        *[(loss, 0.0, 0.0, 0.0) for loss in (*PPO_LOSSES, "gspo", "cispo", "rloo")],
        ("cispo", 1.0, 1.2, -1.2),
        ("cispo", -1.0, -1.2, 1.2),
        ("rloo", 1.0, 1.0, -1.0),
    ],
)
def test_a_ratio_that_overflows_is_not_nan(
    loss: str, advantage: float, expected_loss: float, expected_gradient: float
) -> None:
    """The surrogate is (1 + 0.2) A all the same, and 0 without an advantage."""
    inputs = float32_token(advantage)
    assert loss_of(inputs, loss).loss.item() == pytest.approx(expected_loss)
    assert gradient(inputs, loss) == pytest.approx([expected_gradient])


def test_a_huge_ratio_of_a_bad_token_is_not_hidden() -> None:
    """A < 0 has no upper bound: e^70 is beyond the cap that good tokens get."""
    inputs = inputs_for([math.exp(70.0)], [-1.0])
    assert loss_of(inputs).loss.item() == pytest.approx(math.exp(70.0))


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"cispo"}))
@pytest.mark.parametrize("estimator", sorted(KL_ESTIMATORS))
def test_gradcheck(loss: str, estimator: str) -> None:
    """Autograd against finite differences, away from the kinks. Not CISPO, whose ratio is a
    constant to autograd and moves under finite differences."""
    inputs = inputs_for(
        [1.05, 0.9, 1.5, 0.4, 1.1],
        [1.0, 1.0, 1.0, -2.0, -2.0],
        segments=[0, 0, 0, 1, 1],
        weights=[0.1, 0.2, 0.3, 0.25, 0.15],
        reference=[-1.2, -0.7, -0.9, -1.4, -1.0],
    )

    def scalar(log_probs_T: Tensor) -> Tensor:
        changed = replace(inputs, log_probs_T=log_probs_T)
        return loss_of(changed, loss, kl_coef=0.3, kl_estimator=estimator).loss

    assert torch.autograd.gradcheck(scalar, inputs.log_probs_T)


def test_metrics_by_hand() -> None:
    """Ratios 1.5, 0.5, 1.5, 0.5 with A = 1, -1, -1, 1: the first two are clipped."""
    inputs = inputs_for([1.5, 0.5, 1.5, 0.5], [1.0, -1.0, -1.0, 1.0], weights=[0.4, 0.3, 0.2, 0.1])
    inputs = replace(inputs, entropy_T=torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))
    metrics = {name: value.item() for name, value in loss_of(inputs).metrics.items()}
    assert metrics["actor/pg_clipfrac_high"] == pytest.approx(0.4)
    assert metrics["actor/pg_clipfrac_low"] == pytest.approx(0.3)
    assert metrics["actor/pg_clipfrac"] == pytest.approx(0.7)
    assert metrics["actor/ratio"] == pytest.approx(0.6 * 1.5 + 0.4 * 0.5)
    assert metrics["actor/ppo_kl"] == pytest.approx(-0.6 * math.log(1.5) - 0.4 * math.log(0.5))
    assert metrics["actor/entropy"] == pytest.approx(2.0)
    k3_high, k3_low = 0.5 - math.log(1.5), -0.5 - math.log(0.5)
    assert metrics["rollout/mismatch_kl"] == pytest.approx(0.6 * k3_high + 0.4 * k3_low)
    assert metrics["weight"] == pytest.approx(1.0)
    assert (
        metrics["actor/loss"]
        == metrics["actor/pg_loss"]
        == pytest.approx(-0.4 * 1.2 + 0.3 * 0.8 + 0.2 * 1.5 - 0.1 * 0.5)
    )


def test_kl_without_a_reference_is_refused() -> None:
    with pytest.raises(AssertionError, match="KL without a reference"):
        loss_of(inputs_for([1.0], [1.0]), kl_coef=0.1)


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("sequence_mean", [1 / 2, 1 / 6]),
        ("sequence_sum", [1 / 2, 1 / 2]),
        ("token_mean", [1 / 4, 1 / 4]),
        ("constant", [1 / 20, 1 / 20]),
    ],
)
def test_token_weights_by_hand(aggregation: str, expected: list[float]) -> None:
    """Samples of 1 and 3 loss tokens, length cap 10."""
    weights = token_weights([1, 3], aggregation=aggregation, max_tokens=10)
    assert weights == pytest.approx(expected)


def test_every_loss_has_an_aggregation() -> None:
    assert AGGREGATIONS.keys() == LOSSES.keys()


def random_answers(seed: int) -> list[Answer]:
    draw = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)

    def log_probs(size: int) -> Tensor:
        return -3.0 * torch.rand(size, generator=generator, dtype=torch.float64)

    sizes = [draw.randint(1, 6) for _ in range(draw.randint(1, 7))]
    return [
        Answer(
            new=log_probs(size).requires_grad_(),
            old=log_probs(size),
            behaviour=log_probs(size),
            reference=log_probs(size),
            advantage=draw.gauss(0.0, 1.0),
        )
        for size in sizes
    ]


def packed(answers: list[Answer], weights: list[float], new: list[Tensor]) -> LossInputs:
    """The answers as one row, each behind a prompt of two tokens."""
    prompt = torch.zeros(2, dtype=torch.float64)

    def cat(parts: list[Tensor]) -> Tensor:
        return torch.cat([piece for part in parts for piece in (prompt - 0.5, part)])

    lengths = torch.tensor([2 + len(answer.new) for answer in answers])
    mask_T = cat([torch.ones(len(answer.new)).double() for answer in answers]) > 0.0
    per_token = [
        torch.full((len(answer.new),), weight, dtype=torch.float64)
        for answer, weight in zip(answers, weights, strict=True)
    ]
    return LossInputs(
        log_probs_T=cat(new),
        old_log_probs_T=cat([answer.old for answer in answers]),
        behaviour_log_probs_T=cat([answer.behaviour for answer in answers]),
        reference_log_probs_T=cat([answer.reference for answer in answers]),
        advantages_T=torch.repeat_interleave(
            torch.tensor([answer.advantage for answer in answers], dtype=torch.float64), lengths
        ),
        weights_T=cat(per_token) * mask_T,
        loss_mask_T=mask_T,
        segment_ids_T=torch.repeat_interleave(torch.arange(len(answers)), lengths),
        num_segments=len(answers),
    )


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_any_split_equals_the_slow_twin(loss: str, seed: int) -> None:
    """Value and gradient; the answers are dealt at random to one to three rows."""
    draw = random.Random(seed)
    answers = random_answers(seed)
    correction = draw.choice(["none", "token", "sequence"])
    low, high = draw.choice([(0.2, 0.2), (0.2, 0.28), (10.0, 10.0)])
    expected = naive_loss(answers, loss=loss, low=low, high=high, kl=0.05, correction=correction)
    new = [answer.new for answer in answers]
    expected_gradients = torch.autograd.grad(expected, new)

    weights = token_weights(
        [len(answer.new) for answer in answers], aggregation=AGGREGATIONS[loss], max_tokens=100
    )
    rows: list[list[int]] = [[] for _ in range(draw.randint(1, 3))]
    for index in range(len(answers)):
        draw.choice(rows).append(index)
    total = torch.zeros((), dtype=torch.float64)
    for row in filter(None, rows):
        inputs = packed([answers[i] for i in row], [weights[i] for i in row], [new[i] for i in row])
        outputs = loss_of(
            inputs,
            loss,
            clip_low=low,
            clip_high=high,
            kl_coef=0.05,
            importance_correction=correction,
        )
        total = total + outputs.loss
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    for grad, wanted in zip(torch.autograd.grad(total, new), expected_gradients, strict=True):
        torch.testing.assert_close(grad, wanted, rtol=1e-12, atol=1e-14)
