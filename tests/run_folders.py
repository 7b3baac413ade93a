"""Run folders for tests, written with what writes real ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from recipes.evaluation import evaluate, group_json, to_json
from rl.records import Completion, FinishReason, Group, Outcome, Prompt, Score
from rollout.journal import Journal

RIGHT = "<think>3+4=7</think><answer>7</answer>"
WRONG = "<think>3+4=8</think><answer>8</answer>"


def sample(
    text: str,
    outcome: Outcome = Outcome.CORRECT,
    tokens: int = 5,
    finish: FinishReason = "stop",
    parts: Mapping[str, float] | None = None,
) -> tuple[Completion, Score]:
    """A completion with its score: accuracy is 1 if correct, format is 1."""
    parts = parts or {"accuracy": float(outcome is Outcome.CORRECT), "format": 1.0}
    completion = Completion("", 0, text, (7,) * tokens, (-0.1,) * tokens, 3, finish)
    return completion, Score(sum(parts.values()), outcome, parts)


def group(
    name: str,
    samples: Sequence[tuple[Completion, Score]],
    prompt: str = "User: 3+4=? Assistant:",
    answer: str = "7",
    kind: str = "add",
) -> Group:
    """A prompt with these samples."""
    return Group(
        prompt=Prompt(name, prompt, (1, 2), answer, {"kind": kind}),
        completions=tuple(completion for completion, _ in samples),
        scores=tuple(score for _, score in samples),
    )


def make_run(
    folder: Path,
    *,
    journal: Mapping[int, Sequence[Group]] | None = None,
    samples: Mapping[int, Sequence[Group]] | None = None,
    evaluations: Mapping[int, Sequence[Group]] | None = None,
    metrics: Sequence[Mapping[str, float]] = ({"step": 1, "reward/accuracy/mean": 0.5},),
    advantage: str = "mean_std",
) -> Path:
    """A run whose journal, rollouts/ and eval/ hold these groups by the number of the step."""
    for name in ("rollouts", "eval"):
        (folder / name).mkdir(parents=True)
    settings = {"recipe": {"kind": "r1_zero", "steps": 9}, "algorithm": {"advantage": advantage}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": 1, **settings}))
    (folder / "run.json").write_text(json.dumps([{"attempt": 1, "started": 1e9, "git": "abc"}]))
    (folder / "status.json").write_text(json.dumps({"phase": "training", "step": 1, "steps": 9}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics))
    written = Journal(folder / "journal")
    for step, groups in (journal or {}).items():
        written.write(step - 1, 0, groups)
    for step, groups in (samples or {}).items():
        lines = [json.dumps(group_json(entry), ensure_ascii=False) + "\n" for entry in groups]
        (folder / "rollouts" / f"step-{step:06d}.jsonl").write_text("".join(lines))
    for step, groups in (evaluations or {}).items():
        path = folder / "eval" / f"step-{step:06d}.json"
        path.write_text(to_json(evaluate(groups, 4 * step), groups))
    return folder
