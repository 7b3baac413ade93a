"""What the stages of one step hand to each other. Frozen, typed, with worked examples.

Shapes: P prompt tokens, C completion tokens, L = P + C, T tokens of a packed row, G completions
of one prompt. Nothing here imports torch, so that rewards can use these records without it.

    Prompt -> Sampler -> Completion -> rewards -> Score -> Group -> Sample -> Row -> Learner
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A problem, ready for the sampler.

    Prompt(id="nano-train-17", text="User: 3+4=? Assistant:", token_ids=(5, 12, 9), answer="7",
           metadata={"kind": "add", "language": "en"})
    """

    id: str
    text: str
    token_ids: tuple[int, ...]
    """[P] what the sampler receives; never retokenised afterwards."""
    answer: str
    """The gold answer that the accuracy reward compares with."""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How to sample. Temperature 0 is greedy."""

    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One completion to be sampled. The seed is a function of (run seed, step, prompt, sample)."""

    prompt: Prompt
    sample_index: int
    seed: int


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer, exactly as the engine produced it (token-in, token-out).

    Completion(prompt_id="nano-train-17", sample_index=0, text="<think>...", token_ids=(8, 9, 1),
               log_probs=(-0.1, -0.7, -0.01), policy_version=3, finish_reason="stop")
    """

    prompt_id: str
    sample_index: int
    text: str
    token_ids: tuple[int, ...]
    """[C] sampled tokens; the end-of-text token is the last one when finish_reason is "stop"."""
    log_probs: tuple[float, ...]
    """[C] log-probability of each sampled token under the sampling distribution."""
    policy_version: int
    """Number of policy updates in the weights that sampled it."""
    finish_reason: FinishReason


class Outcome(StrEnum):
    """What the accuracy check found."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    TIMEOUT = "timeout"
    """The program, or the check of this answer, ran out of time: scored as not correct."""
    RUNTIME_ERROR = "runtime_error"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    COMPILE_ERROR = "compile_error"
    RATED = "rated"
    """A general prompt: a reward model rates it, and there is no answer to check."""
    UNPARSEABLE_GOLD = "unparseable_gold"
    """The data set's own answer cannot be read: no reward."""
    CHECKER_ERROR = "checker_error"
    """Our infrastructure failed: no reward."""


@dataclass(frozen=True, slots=True)
class Score:
    """The reward of one completion and its named parts.

    Score(reward=2.0, outcome=Outcome.CORRECT, parts={"accuracy": 1.0, "format": 1.0})
    """

    reward: float | None
    """Weighted sum of the parts; None when there is no verdict: such a completion leaves its
    group's baseline and is not trained on."""
    outcome: Outcome
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Group:
    """One prompt with its G completions and their scores, in order of sample_index."""

    prompt: Prompt
    completions: tuple[Completion, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sequence to train on. Per-token tensors are aligned with token_ids.

    With prompt (5, 12) and completion (8, 1): token_ids=[5, 12, 8, 1],
    loss_mask=[F, F, T, T], behaviour_log_probs=[0, 0, -0.1, -0.7].
    The log-prob at position t is that of token_ids[t] given token_ids[:t].
    """

    prompt_id: str
    sample_index: int
    token_ids: Tensor
    """[L] int64."""
    loss_mask: Tensor
    """[L] bool; True where the token is trained on: what the policy sampled or, in fine-tuning,
    what the assistant says."""
    behaviour_log_probs: Tensor
    """[L] float32, from the sampler; 0 where loss_mask is False."""
    advantage: float
    policy_version: int
    old_log_probs: Tensor | None = None
    """[L] float32, the policy at the start of the rollout, frozen over its mini-batches; 0 where
    loss_mask is False. None until known."""
    reference_log_probs: Tensor | None = None
    """[L] float32, the reference policy; None when there is no KL term."""


@dataclass(frozen=True, slots=True)
class Row:
    """Several samples packed end to end; attention never crosses a segment border.

    Two samples of 3 and 2 tokens: segment_lengths=(3, 2); positions count 0, 1, 2, 0, 1.
    """

    token_ids: Tensor
    """[T] int64."""
    segment_lengths: tuple[int, ...]
    """Lengths of the samples; they sum to T."""
    loss_mask: Tensor
    """[T] bool."""
    behaviour_log_probs: Tensor
    """[T] float32."""
    old_log_probs: Tensor
    """[T] float32."""
    reference_log_probs: Tensor | None
    """[T] float32, or None when there is no KL term."""
    advantages: Tensor
    """[T] float32; each sample's advantage on each of its tokens."""
    weights: Tensor
    """[T] float32; the share of each token in the mini-batch's loss, 0 outside the loss mask.
    Global denominators are inside: the loss of a mini-batch is the plain sum over its tokens of
    weight x token loss, whatever the split into rows, micro-batches and ranks."""
    sample_indices: tuple[int, ...]
    """For each segment, the index of its sample in the packed list; -1 for padding rows."""
