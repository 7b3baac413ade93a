"""What the page says about a run as a whole: facts, outcome, curves, examples, settings."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from launch.alarms import episodes
from launch.page.curves import columns, drawn, kept_steps
from launch.page.rollouts import Rollouts, Snapshot
from launch.page.selection import REPORT_TEXT_CHARACTERS, clip
from launch.sft_summary import data_summary, heldout_losses
from launch.trackers import read_metrics
from recipes.evaluation import from_json
from rewards.format import opens_thinking
from rewards.math.extraction import from_completion

EXAMPLES = 8


def open_rollouts(run_folder: Path) -> Rollouts:
    """The rollouts of a run with the advantages of its own estimator."""
    settings = yaml.safe_load((run_folder / "config.yaml").read_text())
    return Rollouts(run_folder, _at(settings, "algorithm.advantage") or "mean_std")


def summarise(run_folder: Path, snapshots: Sequence[Snapshot]) -> dict[str, Any]:
    """Everything but the rollouts, as plain data for JSON."""
    settings = yaml.safe_load((run_folder / "config.yaml").read_text())
    lines = read_metrics(run_folder / "metrics.jsonl")
    attempts = _json(run_folder / "run.json", [])
    status = _json(run_folder / "status.json", {})
    kept = kept_steps(len(lines))
    metrics = columns([lines[index] for index in kept])
    evaluations = sorted((run_folder / "eval").glob("step-*.json"))
    return {
        "name": run_folder.name,
        "facts": _facts(run_folder, settings, lines, attempts, status),
        "status": {
            "phase": status.get("phase", "starting"),
            "step": status.get("step", 0),
            "steps": status.get("steps", _at(settings, "recipe.steps") or len(lines)),
            "updated": status.get("updated"),
        },
        "alarms": [
            {**asdict(each), "now": each.last_step == lines[-1]["step"]} for each in episodes(lines)
        ],
        "steps": [lines[index]["step"] for index in kept],
        "all_steps": len(lines),
        "metrics": metrics,
        "charts": drawn(metrics),
        "evaluations": [_evaluation(path) for path in evaluations],
        "examples": _examples(evaluations[0], evaluations[-1]) if len(evaluations) > 1 else [],
        "snapshots": [
            {"id": entry.id, "step": entry.step, "sampled": entry.sampled} for entry in snapshots
        ],
        "settings": yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
        "versions": json.dumps(attempts[-1] if attempts else {}, indent=2),
    }


@lru_cache(maxsize=1024)
def _evaluation(path: Path) -> dict[str, Any]:
    """Evaluations hold every sample and are written once, so each is read once."""
    summary, _ = from_json(path.read_text())
    return {"step": int(path.stem.removeprefix("step-")), **asdict(summary)}


@lru_cache(maxsize=2)
def _examples(first: Path, last: Path) -> list[dict[str, Any]]:
    return examples(from_json(first.read_text())[1], from_json(last.read_text())[1])


def _json(path: Path, missing: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else missing


def _at(settings: Mapping[str, Any], key: str) -> Any:
    """The value at "algorithm.loss", None where this kind of run has no such setting."""
    value: Any = settings
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _facts(
    run_folder: Path,
    settings: Mapping[str, Any],
    lines: Sequence[Mapping[str, float]],
    attempts: Sequence[Any],
    status: Mapping[str, Any],
) -> list[list[str]]:
    """[label, value] pairs for the head of the page; what a run does not have is left out."""
    steps = status.get("steps", _at(settings, "recipe.steps") or len(lines))
    losses = [f"{line['heldout/loss']:.4f}" for line in heldout_losses(run_folder)]
    model = _at(settings, "model.path") or _at(settings, "model.kind")
    data = _at(settings, "data.path") or _at(settings, "data.kind")
    prompts = _at(settings, "rollout.prompts_per_step")
    tokens = sum(line.get("perf/total_num_tokens", 0.0) for line in lines)
    seconds = sum(line.get("timing_s/step", 0.0) for line in lines)
    facts = {
        "Recipe": _at(settings, "recipe.kind"),
        "Model": model and Path(str(model)).name,
        "Data": data and Path(str(data)).name,
        "Loss": _at(settings, "algorithm.loss"),
        "Each step": prompts
        and f"{prompts} prompts × {_at(settings, 'rollout.samples_per_prompt')} samples",
        "Steps": lines and f"{len(lines):,} of {steps:,}",
        "Rows": (run_folder / "data.json").exists() and data_summary(run_folder),
        "Held-out loss": losses and " → ".join(dict.fromkeys((losses[0], losses[-1]))),
        "Tokens": tokens and f"{tokens:,.0f}",
        "Time in steps": seconds and _duration(seconds),
        "Seed": str(_at(settings, "seed")),
        "Started": attempts
        and f"{datetime.datetime.fromtimestamp(attempts[0]['started']):%Y-%m-%d %H:%M}",
        "Attempts": len(attempts) > 1 and str(len(attempts)),
    }
    return [[label, value] for label, value in facts.items() if value]


def _duration(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds / 3600:.1f} hours"


def examples(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The first sample of the same held-out problem before and after.

    Problems whose first sample went from wrong to correct come first, and of these the ones that
    improved most.
    """
    later = {group["prompt_id"]: group for group in after}
    pairs = [(old, later[old["prompt_id"]]) for old in before if old["prompt_id"] in later]
    pairs.sort(
        key=lambda pair: (
            pair[0]["completions"][0]["outcome"] == "correct",
            pair[1]["completions"][0]["outcome"] != "correct",
            _right(pair[0]) / len(pair[0]["completions"])
            - _right(pair[1]) / len(pair[1]["completions"]),
        )
    )
    return [
        {
            "id": old["prompt_id"],
            "prompt": old["prompt"],
            "answer": old["answer"],
            "before": _first_sample(old),
            "after": _first_sample(new),
        }
        for old, new in pairs[:EXAMPLES]
    ]


def _right(group: Mapping[str, Any]) -> int:
    return sum(entry["outcome"] == "correct" for entry in group["completions"])


def _first_sample(group: Mapping[str, Any]) -> dict[str, Any]:
    first = group["completions"][0]
    text, cut = clip(first["text"], REPORT_TEXT_CHARACTERS)
    return {
        "text": text,
        "cut": cut,
        "opened": opens_thinking(group["prompt"]),
        "outcome": first["outcome"],
        "tokens": first["tokens"],
        "extracted": from_completion(first["text"]),
        "right": _right(group),
        "samples": len(group["completions"]),
    }
