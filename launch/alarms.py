"""What is wrong with a run, as far as its metrics show it: one line that says what it means and
what to do. Pure functions of the lines of metrics.jsonl.

A run goes on under an alarm; only a person can say whether it is worth going on with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

Line = Mapping[str, float]
"""The metrics of one step."""

WINDOW = 10
"""An alarm looks at the last lines, at most this many, and at as many of the first."""
SHORT = 5
"""Lines over which a value must be out of bounds on average."""
DEAD_GROUPS = 0.8
FLAT_REWARD = 0.05
"""Half a window against the other half: a change below this share of the reward's spread."""
CLIPPED = 0.3
MISMATCH_GROWTH = 3.0
MISMATCH_FLOOR = 1e-3
"""In nats; below it the gap between sampler and learner is rounding, whichever way it moves."""
ENTROPY = 0.02
"""In nats per token. A healthy policy that has learnt nearly all there is can come close: the nano
model ends its quickstart at 0.047, with 94 % of its training problems right."""
FREE_DISK = 0.1
FREE_DISK_METRIC = "perf/disk_free_frac"
STALL_FACTOR = 3.0
STALL_FLOOR_S = 60.0
"""Evaluations and checkpoints lie between steps; where steps take seconds, so may these."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person should look at."""

    name: str
    """Stays the same while the numbers change."""
    text: str
    """What is seen, what it means and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Episode:
    """An alarm and the steps over which it held."""

    alarm: Alarm
    """With the numbers of its last step."""
    first_step: int
    last_step: int


def alarms(history: Sequence[Line]) -> list[Alarm]:
    """Everything that is wrong after the last of these steps."""
    return _alarms(history[:WINDOW], history[-WINDOW:])


def episodes(history: Sequence[Line]) -> list[Episode]:
    """Every alarm of a run in the order in which they began; one that went and came back is two."""
    done: list[Episode] = []
    running: dict[str, Episode] = {}
    for end in range(1, len(history) + 1):
        step = int(history[end - 1]["step"])
        now = _alarms(history[: min(end, WINDOW)], history[max(end - WINDOW, 0) : end])
        done += [running.pop(name) for name in running.keys() - {each.name for each in now}]
        for alarm in now:
            begun = running[alarm.name].first_step if alarm.name in running else step
            running[alarm.name] = Episode(alarm, begun, step)
    return sorted([*done, *running.values()], key=lambda each: (each.first_step, each.alarm.name))


def stall_limit_s(history: Sequence[Line]) -> float | None:
    """Seconds without a finished step after which a run is late; None before the first step."""
    seconds = _values(history[-WINDOW:], "timing_s/step")
    return max(STALL_FACTOR * median(seconds), STALL_FLOOR_S) if seconds else None


def stalled(limit_s: float) -> Alarm:
    """No step has finished for so long."""
    return Alarm(
        "stalled",
        f"no step for more than {limit_s:,.0f} s, {STALL_FACTOR:.0f} times as long as the last "
        "ones took: a worker hangs, or the machine is busy with something else; the newest lines "
        "in logs/latest/ say who is at work, and the run may be killed and started again",
    )


def silence(status: Mapping[str, Any], now: float) -> Alarm | None:
    """Judged from status.json, because a run that hangs may be in no state to say so itself."""
    limit_s = status.get("late_after_s")
    return stalled(limit_s) if limit_s and now - status["updated"] > limit_s else None


def _alarms(first: Sequence[Line], recent: Sequence[Line]) -> list[Alarm]:
    found = (
        _not_a_number(recent),
        _dead_groups(recent),
        _length_clipping(recent),
        _entropy_collapse(recent),
        _mismatch_growing(recent, first),
        _disk_filling(recent),
    )
    return [alarm for alarm in found if alarm]


def _not_a_number(recent: Sequence[Line]) -> Alarm | None:
    for name in ("actor/grad_norm", "actor/loss"):
        if any(not math.isfinite(value) for value in _values(recent[-1:], name)):
            return Alarm(
                "not_a_number",
                f"{name} is not a finite number: the weights are ruined from this step on; go back "
                "to a checkpoint before it and lower learner.learning_rate, or set learner.dtype "
                "to float32",
            )
    return None


def _dead_groups(recent: Sequence[Line]) -> Alarm | None:
    dead = _values(recent, "group/zero_std_frac")
    rewards = _values(recent, "critic/score/mean")
    if min(len(dead), len(rewards)) < WINDOW or fmean(dead) <= DEAD_GROUPS:
        return None
    spread = max(_values(recent, "critic/score/max")) - min(_values(recent, "critic/score/min"))
    if abs(fmean(rewards[SHORT:]) - fmean(rewards[:SHORT])) > FLAT_REWARD * spread:
        return None
    right = fmean(_values(recent, "group/all_right")) > fmean(_values(recent, "group/all_wrong"))
    cause, remedy = (
        ("the problems are too easy by now", "take harder ones, or stop here")
        if right
        else (
            "the problems are too hard, or the reward cannot be earned",
            "take easier ones, raise rollout.samples_per_prompt, or look at the completions",
        )
    )
    return Alarm(
        "dead_groups",
        f"{fmean(dead):.0%} of the groups have equal rewards and the mean reward stands still at "
        f"{fmean(rewards):.3f}: there is nothing to learn from, {cause}; {remedy}",
    )


def _length_clipping(recent: Sequence[Line]) -> Alarm | None:
    cut = _values(recent[-SHORT:], "response_length/clip_ratio")
    if len(cut) < SHORT or fmean(cut) <= CLIPPED:
        return None
    return Alarm(
        "length_clipping",
        f"{fmean(cut):.0%} of the completions are cut off at the length limit: they are scored as "
        "if they had no answer; raise rollout.max_tokens, or find out why the policy does not stop",
    )


def _entropy_collapse(recent: Sequence[Line]) -> Alarm | None:
    # Only where a policy samples: fine-tuning on few answers is right to be sure of them.
    sampled = [line for line in recent[-SHORT:] if "response_length/mean" in line]
    entropy = _values(sampled, "actor/entropy")
    if len(entropy) < SHORT or not fmean(entropy) < ENTROPY:
        return None
    return Alarm(
        "entropy_collapse",
        f"the entropy of the policy is {fmean(entropy):.3f} nats per token: it writes the same "
        "again and again and no longer explores; go back to an earlier checkpoint with a higher "
        "algorithm.clip_high or algorithm.kl_coef, or a lower learner.learning_rate",
    )


def _mismatch_growing(recent: Sequence[Line], first: Sequence[Line]) -> Alarm | None:
    before = _values(first, "rollout/mismatch_kl")
    now = _values(recent[-SHORT:], "rollout/mismatch_kl")
    if len(before) < WINDOW or len(now) < SHORT:
        return None
    gap, then = fmean(now), median(before)
    if gap <= max(MISMATCH_FLOOR, MISMATCH_GROWTH * then):
        return None
    stale = any(_values(recent, "rollout/staleness"))
    part = " (in part the step that rollout.max_staleness puts between them)" if stale else ""
    return Alarm(
        "mismatch_growing",
        f"sampler and learner disagree by {gap:.2g} nats per token{part}, {then:.2g} at the start: "
        "updates learn from probabilities that the learner does not have; set "
        "algorithm.old_log_probs=learner with algorithm.importance_correction=token, or "
        "rollout.dtype=float32",
    )


def _disk_filling(recent: Sequence[Line]) -> Alarm | None:
    free = _values(recent[-1:], FREE_DISK_METRIC)
    if not free or free[0] >= FREE_DISK:
        return None
    return Alarm(
        "disk",
        f"{free[0]:.1%} of the disk of run_dir is free: the run stops when it is full; delete "
        "something, or keep fewer checkpoints with recipe.keep_checkpoints",
    )


def _values(lines: Sequence[Line], name: str) -> list[float]:
    return [line[name] for line in lines if name in line]
