"""An evaluation is made once, kept as a file, and told to the trackers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from launch.observer import RunObserver
from rl.protocols import LoopState
from rl.records import Outcome
from tests.loop.fakes import make_config
from tests.run_folders import RIGHT, WRONG, group, sample


def test_an_evaluation_is_told_and_kept_and_made_once(tmp_path: Path) -> None:
    (tmp_path / "eval").mkdir()
    groups = [
        group("a", [sample(RIGHT), sample(WRONG, Outcome.WRONG)]),
        group("b", [sample(RIGHT), sample(RIGHT)]),
    ]
    told: list[tuple[int, dict[str, float]]] = []
    nothing: Any = SimpleNamespace(doing=lambda text: None, publish=lambda version: {})
    rollouts: Any = SimpleNamespace(settle=lambda: None, generate=lambda *_: groups)
    record: Any = SimpleNamespace(
        evaluation=lambda state, metrics: told.append((state.step, metrics))
    )
    observer = RunObserver(
        make_config(steps=20),
        SimpleNamespace(path=tmp_path),  # type: ignore[arg-type]
        nothing,
        record,
        rollouts=rollouts,
        publisher=nothing,
        checkpoints=nothing,
        journal=nothing,
        heldout=[each.prompt for each in groups],
    )
    for _ in range(2):
        observer.evaluate(LoopState(7, 28))
    ((step, metrics),) = told
    assert step == 7 and metrics["eval/pass_at_1"] == 0.75
    kept = json.loads((tmp_path / "eval" / "step-000007.json").read_text())["summary"]
    assert {f"eval/{name}": kept[name] for name in ("pass_at_1", "format_rate", "mean_length")} == {
        name: value for name, value in metrics.items() if name != "eval/truncated"
    }
