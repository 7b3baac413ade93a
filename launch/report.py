"""report.html: one self-contained file with the outcome, the curves and samples of a run."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from configs.errors import UserError
from launch.charts import Chart, bar_chart, line_chart
from launch.run_folder import write_atomically
from launch.sft_report import sft_sections
from launch.trackers import read_metrics
from recipes.evaluation import Evaluation, from_json

CHARTS = (
    Chart("Accuracy of rollouts", {"accuracy": "reward/accuracy/mean"}, "share", 0.0, 1.0),
    Chart("Format of rollouts", {"format": "reward/format/mean"}, "share", 0.0, 1.0),
    Chart(
        "Response length",
        {"mean": "response_length/mean", "longest": "response_length/max"},
        "tokens",
    ),
    Chart("Reward", {"mean": "critic/score/mean"}, "reward"),
    Chart("Entropy of the policy", {"entropy": "actor/entropy"}, "nats"),
    Chart("KL to the reference", {"KL": "actor/kl_loss"}, "nats"),
    Chart(
        "Groups without signal",
        {"all right": "group/all_right", "all wrong": "group/all_wrong"},
        "share",
        0.0,
        1.0,
    ),
    Chart("Sampler against learner", {"canary gap": "sync/canary_gap"}, "nats, largest", log=True),
    Chart(
        "Time of a step",
        {
            "generate": "timing_s/gen",
            "reference": "timing_s/ref",
            "update": "timing_s/update_actor",
            "sync": "timing_s/sync",
        },
        "seconds",
        0.0,
    ),
)

STYLE = """
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5b6478; --line: #d9dee8; --card: #fff;
  --page: #f5f7fa; --c0: #2563eb; --c1: #d97706; --c2: #059669; --c3: #9333ea; --good: #047857;
  --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0; --soft: #9aa4b8; --line: #333b4d;
  --card: #1b2130; --page: #12161f; --c0: #6ea8fe; --c1: #fbbf24; --c2: #34d399; --c3: #c084fc;
  --good: #34d399; --bad: #f87171; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 1100px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 18px; margin: 32px 0 12px; }
p.lead { color: var(--soft); margin: 4px 0 20px; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px; }
.card h3 { font-size: 14px; margin: 0 0 6px; }
table { border-collapse: collapse; background: var(--card); }
th, td { border: 1px solid var(--line); padding: 5px 12px; text-align: right; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 11px; }
.axis { stroke: var(--line); } .s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); }
.s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); } .f0 { fill: var(--c0); }
.f1 { fill: var(--c1); }
.key { font-size: 12px; color: var(--soft); margin-right: 12px; }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 4px; }
.b0 { background: var(--c0); } .b1 { background: var(--c1); } .b2 { background: var(--c2); }
.b3 { background: var(--c3); }
pre { white-space: pre-wrap; word-break: break-word; margin: 4px 0; font-size: 13px; }
.correct { color: var(--good); } .wrong { color: var(--bad); }
details { margin-top: 10px; }
"""


def write_report(run_folder: Path) -> Path:
    """Make report.html from what is in the run folder; returns its path.

    Raises UserError when the folder is not a run.
    """
    if not (run_folder / "config.yaml").exists():
        raise UserError(f"{run_folder}: not a run folder (no config.yaml); name a folder of runs/")
    settings = yaml.safe_load((run_folder / "config.yaml").read_text())
    metrics = read_metrics(run_folder / "metrics.jsonl")
    attempts = json.loads((run_folder / "run.json").read_text())
    of_its_kind = sft_sections if settings["recipe"]["kind"] == "sft" else _rl_sections
    parts = [
        f"<h1>R1 Foundry: {html.escape(run_folder.name)}</h1>",
        f'<p class="lead">{_lead(settings, metrics, attempts)}</p>',
        *of_its_kind(run_folder, metrics),
        "<details><summary>Settings</summary><pre>",
        html.escape(yaml.safe_dump(settings, sort_keys=False)),
        "</pre></details><details><summary>Versions</summary><pre>",
        html.escape(json.dumps(attempts[-1], indent=2)),
        "</pre></details>",
    ]
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(run_folder.name)}</title><style>{STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>"
    )
    path = run_folder / "report.html"
    write_atomically(path, page)
    return path


def _rl_sections(run_folder: Path, metrics: Sequence[Mapping[str, float]]) -> list[str]:
    evaluations = [from_json(p.read_text()) for p in sorted((run_folder / "eval").glob("*.json"))]
    return [
        _outcome_table([summary for summary, _ in evaluations]),
        "<h2>Longer working pays</h2>",
        _length_section(evaluations, metrics),
        "<h2>Training</h2>",
        f'<div class="grid">{"".join(line_chart(chart, metrics) for chart in CHARTS)}</div>',
        "<h2>The same problems before and after</h2>",
        _samples(evaluations),
    ]


def _lead(
    settings: Mapping[str, Any], metrics: Sequence[Mapping[str, float]], attempts: Sequence[Any]
) -> str:
    recipe = settings["recipe"]
    seconds = sum(line["timing_s/step"] for line in metrics)
    tokens = sum(line["perf/total_num_tokens"] for line in metrics)
    of = "" if recipe["kind"] == "sft" else f" of {recipe['steps']}"
    return (
        f"{recipe['kind']}, {len(metrics)}{of} steps, {tokens:,.0f} tokens, "
        f"{seconds / 60:.1f} minutes of steps, seed {settings['seed']}, attempt {len(attempts)}"
    )


def _outcome_table(evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return "<p>Not evaluated yet.</p>"
    head = "".join(
        f"<th>{name}</th>"
        for name in ("updates", "pass@1", "format", "mean length", "cut off", "problems x samples")
    )
    rows = "".join(
        f"<tr><td>{e.version}</td><td>{e.pass_at_1:.1%} &plusmn; {e.pass_at_1_margin:.1%}</td>"
        f"<td>{e.format_rate:.1%}</td><td>{e.mean_length:.1f}</td><td>{e.truncated:.1%}</td>"
        f"<td>{e.problems} x {e.samples_per_problem}</td></tr>"
        for e in evaluations
    )
    kinds = list(evaluations[-1].pass_at_1_by_kind)
    if len(kinds) < 2:
        return f"<table><tr>{head}</tr>{rows}</table>"
    kind_head = "<th>pass@1 by kind</th>" + "".join(f"<th>{html.escape(k)}</th>" for k in kinds)
    kind_rows = "".join(
        f"<tr><td>after {e.version} updates</td>"
        + "".join(f"<td>{e.pass_at_1_by_kind[k]:.1%}</td>" for k in kinds)
        + "</tr>"
        for e in evaluations
    )
    return f"<table><tr>{head}</tr>{rows}</table><br><table><tr>{kind_head}</tr>{kind_rows}</table>"


def _length_section(
    evaluations: Sequence[tuple[Evaluation, Any]], metrics: Sequence[Mapping[str, float]]
) -> str:
    if not evaluations:
        return ""
    cards = [
        bar_chart(
            f"Accuracy by response length, after {summary.version} updates",
            [
                (f"{low}-{high} tokens", accuracy, f"{count} completions")
                for low, high, count, accuracy in summary.length_bins
            ],
        )
        for summary, _ in (evaluations[0], evaluations[-1])[: len(evaluations)]
    ]
    grown = ""
    if metrics:
        first = metrics[0]["response_length/mean"]
        last = metrics[-1]["response_length/mean"]
        grown = (
            f"<p>Held-out completions in four equal parts by length: where working things out is "
            f"right more often than guessing, the policy learns to write more. Mean length of a "
            f"rollout: {first:.1f} tokens in the first step, {last:.1f} in the last.</p>"
        )
    return f'{grown}<div class="grid">{"".join(cards)}</div>'


def _samples(evaluations: Sequence[tuple[Evaluation, Any]], count: int = 3) -> str:
    if not evaluations:
        return ""
    (first, before), (last, after) = evaluations[0], evaluations[-1]
    cards = []
    for old, new in list(zip(before, after, strict=False))[:count]:
        cards.append(
            f'<div class="card"><h3>{html.escape(old["prompt"])}</h3>'
            f"<pre>answer {html.escape(old['answer'])}</pre>"
            f"<b>after {first.version} updates</b>{_completion(old['completions'][0])}"
            f"<b>after {last.version} updates</b>{_completion(new['completions'][0])}</div>"
        )
    return f'<div class="grid">{"".join(cards)}</div>'


def _completion(completion: Mapping[str, Any]) -> str:
    kind = "correct" if completion["outcome"] == "correct" else "wrong"
    return (
        f"<pre>{html.escape(completion['text'])}</pre>"
        f'<span class="{kind}">{completion["outcome"]}</span>, {completion["tokens"]} tokens<br>'
    )
