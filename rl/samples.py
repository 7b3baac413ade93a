"""Scored groups to training samples, and samples to mini-batches."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from configs.schema import AlgorithmSettings
from rl.advantages import ADVANTAGES, advantages
from rl.records import Completion, Group, Prompt, Sample


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """What one step trains on, and how many completions were left out for which reason."""

    samples: list[Sample]
    metrics: Mapping[str, float]


def build_samples(groups: Sequence[Group], *, algorithm: AlgorithmSettings) -> SampleBatch:
    """Every completion that is to be trained on, in the order of the groups.

    Advantages come first, over whole groups. Only then completions are left out, each for the
    first reason that holds:
    - no_verdict: no reward, or no other one in the group to compare with;
    - zero_variance (drop_zero_variance): all rewards of the group are equal, so its advantages
      are 0. Does not apply to batch_mean_std, whose baseline is not the group's;
    - truncated (truncated=mask): cut at the length cap. It stays in the baseline.
    """
    rewards = [[score.reward for score in group.scores] for group in groups]
    by_group = advantages(rewards, kind=algorithm.advantage)
    drop_equal = algorithm.drop_zero_variance and algorithm.advantage in ADVANTAGES
    samples: list[Sample] = []
    left_out = {"no_verdict": 0, "zero_variance": 0, "truncated": 0}
    for group, rewards_G, advantages_G in zip(groups, rewards, by_group, strict=True):
        equal = zero_variance(rewards_G)
        for completion, advantage in zip(group.completions, advantages_G, strict=True):
            if advantage is None:
                left_out["no_verdict"] += 1
            elif equal and drop_equal:
                left_out["zero_variance"] += 1
            elif completion.finish_reason == "length" and algorithm.truncated == "mask":
                left_out["truncated"] += 1
            else:
                samples.append(sample_of(group.prompt, completion, advantage))
    metrics = {f"samples/left_out/{reason}": float(n) for reason, n in left_out.items()}
    return SampleBatch(samples, metrics | {"samples/trained": float(len(samples))})


def zero_variance(rewards_G: Sequence[float | None]) -> bool:
    """Whether all rewards of the group are equal, completions without a verdict aside."""
    return len({reward for reward in rewards_G if reward is not None}) == 1


def sample_of(prompt: Prompt, completion: Completion, advantage: float) -> Sample:
    """Prompt and completion end to end; the loss is on the completion's tokens."""
    num_prompt = len(prompt.token_ids)
    num_completion = len(completion.token_ids)
    assert len(completion.log_probs) == num_completion, "one log-prob per sampled token"
    return Sample(
        prompt_id=prompt.id,
        sample_index=completion.sample_index,
        token_ids=torch.tensor(prompt.token_ids + completion.token_ids, dtype=torch.int64),
        loss_mask=torch.arange(num_prompt + num_completion) >= num_prompt,
        behaviour_log_probs=torch.tensor((0.0,) * num_prompt + completion.log_probs),
        advantage=advantage,
        policy_version=completion.policy_version,
    )


def with_old_log_probs(samples: Sequence[Sample], log_probs: Sequence[Tensor]) -> list[Sample]:
    """The samples with the learner's own log-probs [L] before the step's first update."""
    return [
        replace(sample, old_log_probs=torch.where(sample.loss_mask, values, 0.0))
        for sample, values in zip(samples, log_probs, strict=True)
    ]


def with_reference_log_probs(
    samples: Sequence[Sample], log_probs: Sequence[Tensor]
) -> list[Sample]:
    """The samples with the log-probs [L] of the reference policy."""
    return [
        replace(sample, reference_log_probs=torch.where(sample.loss_mask, values, 0.0))
        for sample, values in zip(samples, log_probs, strict=True)
    ]


def split_mini_batches(samples: Sequence[Sample], *, num: int, seed: int) -> list[list[Sample]]:
    """A random split into at most num mini-batches whose sizes differ by at most one.

    Fewer samples than num give that many mini-batches of one. Completions of one prompt may land
    in different mini-batches, as in R1.
    """
    order = list(range(len(samples)))
    random.Random(seed).shuffle(order)
    return [
        [samples[index] for index in order[start::num]] for start in range(min(num, len(order)))
    ]


def shuffle_rewards(groups: Sequence[Group], seed: int) -> list[Group]:
    """The groups with all scores of the step dealt out anew: a control that must not learn."""
    scores = [score for group in groups for score in group.scores]
    random.Random(seed).shuffle(scores)
    dealt = iter(scores)
    return [replace(group, scores=tuple(islice(dealt, len(group.scores)))) for group in groups]
