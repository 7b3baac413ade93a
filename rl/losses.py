"""Losses on one packed row: policy gradients and likelihood. Pure maths: no ranks or collectives.

The loss of a mini-batch is the plain sum over its tokens of weight x token loss. Global
denominators are inside the weights (`token_weights`), so that the sum over rows, micro-batches
and ranks is the same number however the mini-batch is split.

Signs: papers maximise an objective J; the token losses here are -J, to be minimised.
Legend: T tokens of a packed row, S segments (samples) of the row, N samples of the mini-batch,
|o| loss tokens of a sample, A advantage, r = pi_new / pi_old the ratio of a token.

Overflow: token values outside the loss mask are replaced by 0 before anything is exponentiated,
because inf x weight 0 would be NaN. The ratio is capped at e^60 where A >= 0, which changes
neither value nor gradient: such a token is clipped anyway. With A < 0 the objective has no upper
bound on the ratio and no cap is applied; the k3 estimate is not capped either. There, an overflow
shows as a loss that is not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from configs.schema import AlgorithmSettings
from rl.records import Row

LARGEST_LOG_RATIO = 60.0
"""e^60 = 1e26 is finite in float32 and above any 1 + clip_high."""


@dataclass(frozen=True, slots=True)
class LossInputs:
    """One packed row as a loss sees it. All floating tensors share one dtype."""

    log_probs_T: Tensor
    """[T] log-prob of each token under the policy in training; carries the gradient."""
    old_log_probs_T: Tensor
    """[T] the same under the policy before the step's first update."""
    behaviour_log_probs_T: Tensor
    """[T] the same as the sampler saw it."""
    reference_log_probs_T: Tensor | None
    """[T] the same under the reference; None when there is no KL term."""
    advantages_T: Tensor
    """[T] the sample's advantage on each of its tokens."""
    weights_T: Tensor
    """[T] share of each token in the loss of the mini-batch; 0 outside the loss mask."""
    loss_mask_T: Tensor
    """[T] bool."""
    segment_ids_T: Tensor
    """[T] int64 in [0, S): which sample of the row a token belongs to."""
    num_segments: int
    """S."""
    entropy_T: Tensor | None = None
    """[T] entropy of the policy at each token, only to be reported."""


@dataclass(frozen=True, slots=True)
class LossOutputs:
    """Sums over one row; add them up over rows and ranks to get those of the mini-batch."""

    loss: Tensor
    """Scalar with gradient."""
    metrics: Mapping[str, Tensor]
    """Detached scalars: sums of weight x value, and "weight", the sum of the weights, by which
    `rl.metrics.update_metrics` divides in the end."""


@dataclass(frozen=True, slots=True)
class PolicyTerm:
    """The policy-gradient part of a loss, before weights and corrections."""

    token_loss_T: Tensor
    clipped_low_T: Tensor
    """[T] bool; the clip at 1 - clip_low is what decides this token's gradient."""
    clipped_high_T: Tensor


def token_clip(inputs: LossInputs, *, clip_low: float, clip_high: float) -> PolicyTerm:
    """-min(r A, clip(r, 1 - clip_low, 1 + clip_high) A) with one ratio per token.

    PPO (arXiv 1707.06347) eq. 7; DeepSeekMath (2402.03300) eq. 3; DAPO (2503.14476) for two
    separate bounds; REINFORCE++ (2501.03262). GRPO, Dr. GRPO, DAPO and REINFORCE++ differ in the
    weights of the tokens and in the advantages only.
    """
    return _clip(inputs.log_probs_T - inputs.old_log_probs_T, inputs, clip_low, clip_high)


def sequence_clip(inputs: LossInputs, *, clip_low: float, clip_high: float) -> PolicyTerm:
    """GSPO (arXiv 2507.18071) eq. 5 and 7: -min(s A, clip(s, 1 - clip_low, 1 + clip_high) A) with
    one ratio per sample, s = (pi_new(o) / pi_old(o))^(1/|o|) = exp(mean over o of log r).

    Each token of a sample gets the sample's value: with weights 1 / (N |o|) they add up to the
    sample's share, and the gradient reaches every token through the mean. Ratios are much closer
    to 1 than those of tokens; the paper clips at 3e-4 and 4e-4.
    """
    log_ratio_T = inputs.log_probs_T - inputs.old_log_probs_T
    length_S = _segment_sum(inputs.loss_mask_T.to(log_ratio_T.dtype), inputs).clamp(min=1.0)
    mean_S = _segment_sum(log_ratio_T, inputs) / length_S
    return _clip(_to_tokens(mean_S, inputs), inputs, clip_low, clip_high)


def clipped_weight(inputs: LossInputs, *, clip_low: float, clip_high: float) -> PolicyTerm:
    """CISPO (MiniMax-M1, arXiv 2506.13585): -sg(clip(r, 1 - clip_low, 1 + clip_high))
    A log pi_new, sg being stop-gradient: a clipped token keeps its gradient with a bounded weight.

    The paper leaves the lower bound out; clip_low = 1 does the same.
    """
    ratio_T = (inputs.log_probs_T - inputs.old_log_probs_T).detach().exp()
    return PolicyTerm(
        token_loss_T=-ratio_T.clamp(1.0 - clip_low, 1.0 + clip_high)
        * inputs.advantages_T
        * inputs.log_probs_T,
        clipped_low_T=ratio_T < 1.0 - clip_low,
        clipped_high_T=ratio_T > 1.0 + clip_high,
    )


def reinforce(inputs: LossInputs, *, clip_low: float, clip_high: float) -> PolicyTerm:
    """RLOO (arXiv 2402.14740): -A log pi_new, no ratio and no clip; the sample is the
    action, so its tokens are summed (weights 1 / N).

    Exact for one mini-batch per rollout, where the policy in training is the one that sampled.
    For several, take another loss with the leave_one_out advantage.
    """
    never_T = torch.zeros_like(inputs.loss_mask_T)
    return PolicyTerm(-inputs.advantages_T * inputs.log_probs_T, never_T, never_T)


LOSSES: dict[str, Callable[..., PolicyTerm]] = {
    "grpo": token_clip,
    "dr_grpo": token_clip,
    "dapo": token_clip,
    "reinforce_pp": token_clip,
    "gspo": sequence_clip,
    "cispo": clipped_weight,
    "rloo": reinforce,
}

AGGREGATIONS: dict[str, str] = {
    "grpo": "sequence_mean",
    "gspo": "sequence_mean",
    "rloo": "sequence_sum",
    "dapo": "token_mean",
    "cispo": "token_mean",
    "reinforce_pp": "token_mean",
    "dr_grpo": "constant",
}
"""How each loss weighs tokens; see `token_weights`."""


def token_weights(
    num_loss_tokens: Sequence[int], *, aggregation: str, max_tokens: int
) -> list[float]:
    """Weight of each loss token of each sample of one mini-batch, over all its ranks.

    sequence_mean: 1 / (N |o|), DeepSeekMath eq. 3.   sequence_sum: 1 / N, RLOO.
    token_mean: 1 / sum of |o|, DAPO.           constant: 1 / (N max_tokens), Dr. GRPO.
    max_tokens is the length cap of a completion, used by "constant" alone.
    """
    num_samples = len(num_loss_tokens)
    total = sum(num_loss_tokens)
    # A sample without loss tokens has none to weigh: any finite number does.
    weights: dict[str, Callable[[int], float]] = {
        "sequence_mean": lambda length: 1.0 / (num_samples * max(length, 1)),
        "sequence_sum": lambda length: 1.0 / num_samples,
        "token_mean": lambda length: 1.0 / max(total, 1),
        "constant": lambda length: 1.0 / (num_samples * max_tokens),
    }
    return [weights[aggregation](length) for length in num_loss_tokens]


def k1(log_probs_T: Tensor, reference_log_probs_T: Tensor) -> Tensor:
    """log(pi / ref). Unbiased as a value; in a loss its expected gradient is 0 on policy."""
    return log_probs_T - reference_log_probs_T


def k2(log_probs_T: Tensor, reference_log_probs_T: Tensor) -> Tensor:
    """log(pi / ref)^2 / 2. Biased as a value; on policy its gradient is that of the KL."""
    return (log_probs_T - reference_log_probs_T).square() / 2.0


def k3(log_probs_T: Tensor, reference_log_probs_T: Tensor) -> Tensor:
    """ref / pi - log(ref / pi) - 1 >= 0. DeepSeekMath eq. 4, R1 eq. 2."""
    log_ratio_T = reference_log_probs_T - log_probs_T
    return torch.expm1(log_ratio_T) - log_ratio_T


KL_ESTIMATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"k1": k1, "k2": k2, "k3": k3}
"""Estimators of KL(pi || ref) per token, http://joschu.net/blog/kl-approx.html."""


def importance_weights(inputs: LossInputs, *, correction: str, cap: float) -> Tensor:
    """[T] truncated importance weights min(pi_old / pi_behaviour, cap), without gradient: what the
    learner's policy before the update thinks of a token against what the sampler thought.

    none: 1.   token: one ratio per token.   sequence: the product over the sample's loss tokens,
    exp(sum of log-ratios), on each of them.
    Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training".
    """
    gap_T = (inputs.old_log_probs_T - inputs.behaviour_log_probs_T).detach()
    if correction == "none":
        return torch.ones_like(gap_T)
    if correction == "sequence":
        gap_T = _to_tokens(_segment_sum(gap_T, inputs), inputs)
    else:
        assert correction == "token", correction
    return gap_T.exp().clamp(max=cap)


def policy_loss(
    inputs: LossInputs,
    *,
    loss: str,
    clip_low: float,
    clip_high: float,
    kl_coef: float,
    kl_estimator: str,
    importance_correction: str,
    importance_cap: float,
) -> LossOutputs:
    """Sum over tokens of weight x (importance weight x policy term + kl_coef x KL).

    kl_coef > 0 needs reference log-probs. Any clip_low > 0 is legal: at 10 the interval is
    [-9, 11] and its lower end never binds.
    """
    assert kl_coef == 0.0 or inputs.reference_log_probs_T is not None, "KL without a reference"
    inputs = _masked(inputs)
    term = LOSSES[loss](inputs, clip_low=clip_low, clip_high=clip_high)
    importance_T = importance_weights(inputs, correction=importance_correction, cap=importance_cap)
    policy_T = importance_T * term.token_loss_T
    token_loss_T = policy_T
    values = {"actor/pg_loss": policy_T}
    if inputs.reference_log_probs_T is not None:
        kl_T = KL_ESTIMATORS[kl_estimator](inputs.log_probs_T, inputs.reference_log_probs_T)
        token_loss_T = token_loss_T + kl_coef * kl_T
        values["actor/kl_loss"] = kl_T
    values |= _diagnostics(inputs, term) | {"rollout/importance_weight": importance_T}
    total = (inputs.weights_T * token_loss_T).sum()
    with torch.no_grad():
        sums = {name: (inputs.weights_T * value_T).sum() for name, value_T in values.items()}
        sums |= {"actor/loss": total.detach(), "weight": inputs.weights_T.sum()}
    return LossOutputs(total, sums)


def negative_log_likelihood(inputs: LossInputs) -> LossOutputs:
    """Sum over loss tokens of weight x -log pi(token | those before it): supervised fine-tuning.

    With the weights of "token_mean", 1 / N for the N loss tokens of the mini-batch, rows and ranks
    add up to the mean over them, -1/N sum log pi.
    """
    log_probs_T = _masked(inputs).log_probs_T
    total = -(inputs.weights_T * log_probs_T).sum()
    sums = {"actor/loss": total.detach(), "weight": inputs.weights_T.sum()}
    if inputs.entropy_T is not None:
        sums["actor/entropy"] = (inputs.weights_T * inputs.entropy_T).sum()
    return LossOutputs(total, sums)


def row_loss(
    row: Row, log_probs_T: Tensor, entropy_T: Tensor, algorithm: AlgorithmSettings | None
) -> LossOutputs:
    """The loss of a packed row with the settings of a run; None: supervised fine-tuning."""
    if algorithm is None:
        return negative_log_likelihood(row_inputs(row, log_probs_T, entropy_T))
    return policy_loss(
        row_inputs(row, log_probs_T, entropy_T),
        loss=algorithm.loss,
        clip_low=algorithm.clip_low,
        clip_high=algorithm.clip_high,
        kl_coef=algorithm.kl_coef,
        kl_estimator=algorithm.kl_estimator,
        importance_correction=algorithm.importance_correction,
        importance_cap=algorithm.importance_cap,
    )


def row_inputs(row: Row, log_probs_T: Tensor, entropy_T: Tensor | None = None) -> LossInputs:
    """A row and the log-probs that the policy in training gives its tokens."""
    lengths_S = torch.tensor(row.segment_lengths)
    segment_ids_T = torch.repeat_interleave(torch.arange(len(lengths_S)), lengths_S)
    return LossInputs(
        log_probs_T=log_probs_T,
        old_log_probs_T=row.old_log_probs,
        behaviour_log_probs_T=row.behaviour_log_probs,
        reference_log_probs_T=row.reference_log_probs,
        advantages_T=row.advantages,
        weights_T=row.weights,
        loss_mask_T=row.loss_mask,
        segment_ids_T=segment_ids_T.to(row.token_ids.device),
        num_segments=len(row.segment_lengths),
        entropy_T=entropy_T,
    )


def _clip(log_ratio_T: Tensor, inputs: LossInputs, clip_low: float, clip_high: float) -> PolicyTerm:
    advantages_T = inputs.advantages_T
    capped_T = log_ratio_T.clamp(max=LARGEST_LOG_RATIO)
    ratio_T = torch.where(advantages_T >= 0.0, capped_T, log_ratio_T).exp()
    clipped_T = ratio_T.clamp(1.0 - clip_low, 1.0 + clip_high)
    return PolicyTerm(
        token_loss_T=-torch.minimum(ratio_T * advantages_T, clipped_T * advantages_T),
        clipped_low_T=(ratio_T < 1.0 - clip_low) & (advantages_T < 0.0),
        clipped_high_T=(ratio_T > 1.0 + clip_high) & (advantages_T > 0.0),
    )


def _diagnostics(inputs: LossInputs, term: PolicyTerm) -> dict[str, Tensor]:
    """[T] values to report, named as in verl where it has a name."""
    new_T = inputs.log_probs_T.detach()
    dtype = new_T.dtype
    values = {
        "actor/ppo_kl": inputs.old_log_probs_T - new_T,
        "actor/ratio": (new_T - inputs.old_log_probs_T).exp(),
        "actor/pg_clipfrac": (term.clipped_low_T | term.clipped_high_T).to(dtype),
        "actor/pg_clipfrac_low": term.clipped_low_T.to(dtype),
        "actor/pg_clipfrac_high": term.clipped_high_T.to(dtype),
        # KL(sampler || learner) under the sampler's tokens. In a step's first mini-batch both
        # hold the same weights, and this is the gap between the two engines; with
        # rollout.max_staleness=1 the updates of one step lie between them, and count too.
        "rollout/mismatch_kl": k3(inputs.behaviour_log_probs_T, new_T),
    }
    if inputs.entropy_T is not None:
        values["actor/entropy"] = inputs.entropy_T
    return values


def _masked(inputs: LossInputs) -> LossInputs:
    """The same with 0 for every log-prob outside the loss mask."""

    def masked(values_T: Tensor) -> Tensor:
        return torch.where(inputs.loss_mask_T, values_T, torch.zeros_like(values_T))

    reference_T = inputs.reference_log_probs_T
    return replace(
        inputs,
        log_probs_T=masked(inputs.log_probs_T),
        old_log_probs_T=masked(inputs.old_log_probs_T),
        behaviour_log_probs_T=masked(inputs.behaviour_log_probs_T),
        reference_log_probs_T=None if reference_T is None else masked(reference_T),
    )


def _segment_sum(values_T: Tensor, inputs: LossInputs) -> Tensor:
    """[S] sum of the values of each segment."""
    zeros_S = values_T.new_zeros(inputs.num_segments)
    return zeros_S.index_add(0, inputs.segment_ids_T, values_T)


def _to_tokens(values_S: Tensor, inputs: LossInputs) -> Tensor:
    """[T] each segment's value on each of its tokens."""
    return values_S.index_select(0, inputs.segment_ids_T)
