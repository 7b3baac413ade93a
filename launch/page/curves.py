"""Which metric is drawn in which chart. What no chart names is drawn under "Other"."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_POINTS = 2000
"""Steps in the page; of more steps, every second, third ... is kept, and always the last."""
MOST_SERIES = 8
"""In one chart; of more, as of the memory of many ranks, those that rise highest."""
DIGITS = 6
"""Significant digits of a drawn value."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart of metrics over steps."""

    group: str
    title: str
    series: Mapping[str, str]
    """Label -> metric. A "*" in both stands for any piece of the name: {"*": "reward/*/mean"}."""
    unit: str
    low: float | None = None
    """Bottom of a linear axis; None: from the data."""
    high: float | None = None
    marks: str = ""
    """A field of the evaluations to mark in the chart."""
    key: bool = False
    """One of the few that the page shows first."""


def _share(
    group: str, title: str, series: Mapping[str, str], marks: str = "", key: bool = False
) -> Chart:
    return Chart(group, title, series, "share", 0.0, 1.0, marks, key)


CHARTS = (
    _share("Accuracy", "Accuracy", {"rollouts": "reward/accuracy/mean"}, "pass_at_1"),
    _share(
        "Accuracy",
        "Outcomes",
        {
            "correct": "reward/outcome/correct",
            "wrong": "reward/outcome/wrong",
            "no answer": "reward/outcome/no_answer",
            "*": "reward/outcome/*",
        },
        key=True,
    ),
    _share(
        "Accuracy",
        "Groups without signal",
        {
            "no spread": "group/zero_std_frac",
            "all right": "group/all_right",
            "all wrong": "group/all_wrong",
        },
    ),
    Chart(
        "Reward",
        "Reward",
        {"mean": "critic/score/mean", "best": "critic/score/max", "worst": "critic/score/min"},
        "reward",
    ),
    Chart("Reward", "Parts of the reward", {"*": "reward/*/mean"}, "mean of the part", key=True),
    Chart(
        "Lengths",
        "Response length",
        {
            "mean": "response_length/mean",
            "longest": "response_length/max",
            "shortest": "response_length/min",
        },
        "tokens",
        marks="mean_length",
        key=True,
    ),
    _share("Lengths", "Cut off at the limit", {"rollouts": "response_length/clip_ratio"}),
    _share("Lengths", "Words of reflection", {"rollouts": "aha/reflection_rate"}),
    Chart("Lengths", "Prompt length", {"mean": "prompt_length/mean"}, "tokens"),
    _share(
        "Accuracy",
        "Judged as in the data",
        {"held out": "heldout/accuracy", "training": "judged/accuracy"},
    ),
    Chart("Policy", "Chosen against rejected", {"difference": "judged/logit"}, "mean difference"),
    Chart("Policy", "Held-out loss", {"held out": "heldout/loss"}, "nats per token", key=True),
    Chart("Policy", "Entropy of the policy", {"entropy": "actor/entropy"}, "nats", key=True),
    Chart("Policy", "KL to the reference", {"KL": "actor/kl_loss"}, "nats"),
    Chart("Policy", "KL to the policy before the step", {"KL": "actor/ppo_kl"}, "nats"),
    Chart("Policy", "Loss", {"loss": "actor/loss", "policy": "actor/pg_loss"}, "loss"),
    Chart(
        "Policy",
        "Clipped tokens",
        {
            "all": "actor/pg_clipfrac",
            "high": "actor/pg_clipfrac_high",
            "low": "actor/pg_clipfrac_low",
        },
        "share",
    ),
    Chart("Policy", "Norm of the gradient", {"norm": "actor/grad_norm"}, "before clipping"),
    Chart("Policy", "Learning rate", {"rate": "actor/lr"}, "per update", 0.0),
    Chart(
        "Mismatch",
        "Sampler against learner",
        {"canary": "sync/canary_gap"},
        "nats, largest",
        key=True,
    ),
    Chart("Mismatch", "Mismatch KL", {"KL": "rollout/mismatch_kl"}, "nats"),
    Chart("Mismatch", "Age of the sampling policy", {"all": "rollout/staleness"}, "updates", 0.0),
    Chart(
        "Mismatch",
        "Probability ratios",
        {"new to old": "actor/ratio", "correction": "rollout/importance_weight"},
        "mean",
    ),
    Chart("Timing", "Time of a step", {"*": "timing_s/*"}, "seconds", 0.0, key=True),
    Chart(
        "Timing",
        "Time of a weight transfer",
        {"transfer": "sync/transfer_s", "canary": "sync/canary_s"},
        "seconds",
        0.0,
    ),
    Chart("Timing", "Tokens per second", {"per device": "perf/throughput"}, "tokens/s", 0.0),
    Chart("Timing", "Tokens of a step", {"all": "perf/total_num_tokens"}, "tokens", 0.0),
    Chart(
        "Engines",
        "Sequences in an engine",
        {"running, mean": "engine/running", "waiting, most": "engine/waiting"},
        "sequences",
        0.0,
    ),
    _share("Engines", "KV cache in use, largest", {"worst engine": "engine/kv_cache_usage"}),
    Chart(
        "Engines",
        "Sequences put back for want of KV cache",
        {"all engines": "engine/preemptions"},
        "times",
        0.0,
    ),
    Chart(
        "Samples",
        "Samples trained on and left out",
        {"trained": "samples/trained", "*": "samples/left_out/*"},
        "samples",
        0.0,
    ),
    Chart("Experts", "Load of the experts", {"*": "expert/*"}, ""),
    Chart("Memory", "Peak memory", {"*": "perf/peak_memory_gib/*"}, "GiB", 0.0),
    _share("Memory", "Free disk space", {"run folder": "perf/disk_free_frac"}),
)


def kept_steps(count: int) -> list[int]:
    """Indices of the lines of metrics that the page shows, the last one included."""
    every = max(1, math.ceil(count / MAX_POINTS))
    return list(range((count - 1) % every, count, every)) if count else []


def columns(lines: Sequence[Mapping[str, float]]) -> dict[str, list[float | None]]:
    """Metric -> its values over the lines; None where a line lacks it or it is not finite.

    A metric without one finite value is left out.
    """
    names = sorted({name for line in lines for name in line} - {"step"})
    table = {name: [_rounded(line.get(name)) for line in lines] for name in names}
    return {name: values for name, values in table.items() if any(v is not None for v in values)}


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")


def drawn(
    metrics: Mapping[str, Sequence[float | None]], charts: Sequence[Chart] = CHARTS
) -> list[dict[str, Any]]:
    """The charts that have data, with patterns resolved to [label, metric] pairs, and one chart
    for each metric that no chart names.

    Of what a pattern finds, series that are 0 all the time are left out.
    """
    resolved, named = [], set()
    for chart in charts:
        series: dict[str, str] = {}
        for label, pattern in chart.series.items():
            for name in fnmatch.filter(sorted(metrics), pattern):
                named.add(name)
                if name == pattern or any(metrics[name]):
                    series.setdefault(name, _label(label, pattern, name))
        if series:
            resolved.append(_entry(chart, _highest(series, metrics)))
    return resolved + [
        _entry(Chart("Other", name, {}, ""), {name: name.rpartition("/")[2]})
        for name in sorted(metrics)
        if name not in named
    ]


def _highest(
    series: dict[str, str], metrics: Mapping[str, Sequence[float | None]]
) -> dict[str, str]:
    if len(series) <= MOST_SERIES:
        return series
    tops = {name: max(v for v in metrics[name] if v is not None) for name in series}
    kept = sorted(series, key=tops.__getitem__, reverse=True)[:MOST_SERIES]
    return {name: label for name, label in series.items() if name in kept}


def _entry(chart: Chart, series: Mapping[str, str]) -> dict[str, Any]:
    return {
        "key": chart.key,
        "group": chart.group,
        "title": chart.title,
        "unit": chart.unit,
        "low": chart.low,
        "high": chart.high,
        "marks": chart.marks,
        "series": [[label, name] for name, label in series.items()],
    }


def _label(label: str, pattern: str, name: str) -> str:
    if "*" not in label:
        return label
    before, _, after = pattern.partition("*")
    return name[len(before) : len(name) - len(after)].replace("_", " ")
