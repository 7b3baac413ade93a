"""Numbers to report, named as in verl where verl has a name. Pure functions of records.

A metric without data is left out, because 0 would be a statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import fmean

from rl.records import Group, Outcome
from rl.samples import zero_variance

REFLECTION = re.compile(
    r"\b(?:wait|mistake|however|but|retry|error|verify|wrong|evaluate|check)\b", re.IGNORECASE
)
"""Words of reflection. The R1 paper sees the "aha moment" in how often "wait" is used."""

LOSS_SUMS = ("actor/loss", "actor/pg_loss")
"""Entries of LossOutputs.metrics that are parts of the loss: reported as sums, not as means."""


def rollout_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Rewards, outcomes, lengths and dead groups of one rollout."""
    return {
        **_reward_metrics(groups),
        **_group_metrics(groups),
        **_completion_metrics(groups),
    }


def _reward_metrics(groups: Sequence[Group]) -> dict[str, float]:
    scores = [score for group in groups for score in group.scores]
    rewards = [score.reward for score in scores if score.reward is not None]
    metrics: dict[str, float] = {}
    if rewards:
        metrics["critic/score/mean"] = fmean(rewards)
        metrics["critic/score/max"] = max(rewards)
        metrics["critic/score/min"] = min(rewards)
    judged = [score for score in scores if score.reward is not None]
    for name in sorted({name for score in judged for name in score.parts}):
        values = [score.parts[name] for score in judged if name in score.parts]
        metrics[f"reward/{name}/mean"] = fmean(values)
    checked = [score.outcome for score in scores if score.outcome != Outcome.RATED]
    for outcome in Outcome:
        if checked and outcome != Outcome.RATED:
            metrics[f"reward/outcome/{outcome}"] = fmean(each == outcome for each in checked)
    return metrics


def _group_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Shares of the groups that have a verdict: all rewards equal, all right, none right."""
    verdicts = [[score for score in group.scores if score.reward is not None] for group in groups]
    verdicts = [scores for scores in verdicts if scores]
    if not verdicts:
        return {}
    metrics = {
        "group/zero_std_frac": fmean(
            zero_variance([score.reward for score in scores]) for scores in verdicts
        )
    }
    checked = [scores for scores in verdicts if scores[0].outcome != Outcome.RATED]
    right = [[score.outcome == Outcome.CORRECT for score in scores] for scores in checked]
    if right:
        metrics["group/all_right"] = fmean(all(scores) for scores in right)
        metrics["group/all_wrong"] = fmean(not any(scores) for scores in right)
    return metrics


def _completion_metrics(groups: Sequence[Group]) -> dict[str, float]:
    completions = [completion for group in groups for completion in group.completions]
    if not completions:
        return {}
    lengths = [len(completion.token_ids) for completion in completions]
    return {
        "response_length/mean": fmean(lengths),
        "response_length/max": float(max(lengths)),
        "response_length/min": float(min(lengths)),
        "response_length/clip_ratio": fmean(
            completion.finish_reason == "length" for completion in completions
        ),
        "prompt_length/mean": fmean(len(group.prompt.token_ids) for group in groups),
        "aha/reflection_rate": fmean(
            REFLECTION.search(completion.text) is not None for completion in completions
        ),
    }


def update_metrics(sums: Mapping[str, float]) -> dict[str, float]:
    """Of one mini-batch: LossOutputs.metrics added up over all its rows and ranks, to means.

    The means have the loss's own weighting of tokens, e.g. per sample and then over its tokens.
    """
    weight = sums["weight"] or 1.0
    return {
        name: value if name in LOSS_SUMS else value / weight
        for name, value in sums.items()
        if name != "weight"
    }


def step_metrics(updates: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of the updates of one step: means over the mini-batches.

    Except the mismatch with the sampler, of which the first is reported: then the learner still
    has the weights that sampled, or with rollout.max_staleness=1 is nearest to them.
    """
    if not updates:
        return {}
    metrics = {name: fmean(update[name] for update in updates) for name in updates[0]}
    first = {name: updates[0][name] for name in updates[0] if name == "rollout/mismatch_kl"}
    return metrics | first


def timing_metrics(
    seconds: Mapping[str, float], *, num_tokens: int, num_devices: int
) -> dict[str, float]:
    """Phases of a step in seconds ("gen", "update_actor", ..., and "step" for all of it), and
    perf/throughput: prompt and completion tokens per second and device."""
    metrics = {f"timing_s/{phase}": value for phase, value in seconds.items()}
    metrics["perf/total_num_tokens"] = float(num_tokens)
    metrics["perf/throughput"] = num_tokens / (seconds["step"] * num_devices)
    return metrics
