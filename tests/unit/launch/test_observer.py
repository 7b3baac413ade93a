"""An evaluation is made once, kept as a file, and told to the trackers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from launch.observer import RunObserver
from rl.protocols import LoopState
from rl.records import Outcome
from tests.loop.fakes import make_config
from tests.run_folders import RIGHT, WRONG, group, sample

GROUPS = [
    group("a", [sample(RIGHT), sample(WRONG, Outcome.WRONG)]),
    group("b", [sample(RIGHT), sample(RIGHT)]),
]
Told = list[tuple[int, dict[str, float]]]
"""Step and metrics of the evaluations that the trackers hear of."""


def make_observer(folder: Path, told: Told, *, eval_every: int = 0) -> RunObserver:
    (folder / "eval").mkdir()
    config = make_config(steps=20)
    recipe = config.recipe.model_copy(update={"eval_every": eval_every})
    nothing: Any = SimpleNamespace(doing=lambda text: None, publish=lambda version: {})
    rollouts: Any = SimpleNamespace(settle=lambda: None, generate=lambda *_: GROUPS)
    record: Any = SimpleNamespace(
        evaluation=lambda state, metrics: told.append((state.step, metrics))
    )
    return RunObserver(
        config.model_copy(update={"recipe": recipe}),
        SimpleNamespace(path=folder),  # type: ignore[arg-type]
        nothing,
        record,
        rollouts=rollouts,
        publisher=nothing,
        checkpoints=nothing,
        journal=nothing,
        heldout=[each.prompt for each in GROUPS],
    )


def test_an_evaluation_is_told_and_kept_and_made_once(tmp_path: Path) -> None:
    told: Told = []
    observer = make_observer(tmp_path, told)
    for _ in range(2):
        observer.evaluate(LoopState(7, 28))
    ((step, metrics),) = told
    assert step == 7 and metrics["eval/pass_at_1"] == 0.75
    kept = json.loads((tmp_path / "eval" / "step-000007.json").read_text())["summary"]
    assert {f"eval/{name}": kept[name] for name in ("pass_at_1", "format_rate", "mean_length")} == {
        name: value for name, value in metrics.items() if name != "eval/truncated"
    }


@pytest.mark.parametrize(("eval_every", "evaluated"), [(0, [0]), (5, [0, 5, 10, 15])])
def test_a_step_is_evaluated_wherever_a_run_goes_on_from(
    tmp_path: Path, eval_every: int, evaluated: list[int]
) -> None:
    """The last step is left to the end of the run."""
    told: Told = []
    observer = make_observer(tmp_path, told, eval_every=eval_every)
    for step in range(21):
        observer.evaluate_if_due(LoopState(step, 4 * step))
    assert [step for step, _ in told] == evaluated
