"""What a step leaves in the run folder beside its metrics: alarms, lateness, rollouts."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from launch.alarms import Alarm
from launch.checkpoints import Checkpoints
from launch.console import RunConsole
from launch.record import RunRecord
from launch.run_folder import RunFolder
from launch.stop import StopAsked
from rl.protocols import LoopState
from rl.records import Group
from tests.loop.fakes import make_config
from tests.run_folders import RIGHT, group, sample
from tests.unit.launch.test_alarms import changed


class NoWorkers:
    """Nobody computes here."""

    def peak_memory(self) -> dict[str, float]:
        return {"perf/peak_memory_gib/driver": 0.5}


class Listener:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def log(self, step: int, metrics: object) -> None:
        self.heard.append(("log", step))

    def evaluation(self, step: int, metrics: object) -> None:
        self.heard.append(("evaluation", step))

    def alarm(self, step: int, alarm: Alarm) -> None:
        self.heard.append(("alarm", step, alarm.name))

    def rollouts(self, step: int, groups: list[Group]) -> None:
        self.heard.append(("rollouts", step, len(groups)))

    def close(self, *, broken_off: bool) -> None:
        self.heard.append(("close", broken_off))


def test_alarms_reach_status_console_and_trackers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(steps=20).model_copy(update={"run_dir": str(tmp_path / "run")})
    config = config.model_copy(
        update={"recipe": config.recipe.model_copy(update={"checkpoint_every": 8})}
    )
    folder, out, listener = RunFolder(config), io.StringIO(), Listener()
    monkeypatch.setattr("launch.record.make_trackers", lambda *_: [listener])
    monkeypatch.setattr("launch.alarms.FREE_DISK", 0.0)  # whatever this machine's disk says
    with RunConsole("title", 20, Console(file=out, width=200)) as console:
        record = RunRecord(
            config,
            folder,
            console,
            LoopState(0, 0),
            workers=NoWorkers(),  # type: ignore[arg-type]
            checkpoints=Checkpoints(folder.path / "checkpoints", 2),
            steps=20,
        )
        record.evaluation(LoopState(0, 0), {"eval/pass_at_1": 0.5})
        for line in changed(6, response_length__clip_ratio=0.9, perf__throughput=1.0)[:20]:
            state = LoopState(int(line["step"]), 4 * int(line["step"]))
            record.step(state, {"perf/throughput": 1.0, **line})
            record.rollouts(state, [group("a", [sample(RIGHT)] * 2)])
            status = json.loads((folder.path / "status.json").read_text())
            if state.step == 19:
                assert status["late_after_s"] == 60.0
    # The mean over five steps is above 0.3 from the second of the six last on.
    assert [each for each in listener.heard if each[0] != "log"] == [
        ("evaluation", 0),
        ("rollouts", 8, 1),
        ("alarm", 16, "length_clipping"),
        ("rollouts", 16, 1),
        ("rollouts", 20, 1),
    ]
    assert [alarm["name"] for alarm in status["alarms"]] == ["length_clipping"]
    assert status["late_after_s"] is None, "no step follows the last one"
    assert 0.0 < status["metrics"]["perf/disk_free_frac"] <= 1.0
    assert out.getvalue().count("alarm: 36% of the completions are cut off") == 1


def test_what_was_begun_is_settled_before_a_checkpoint_and_only_then(tmp_path: Path) -> None:
    calls: list[str] = []
    config = make_config(steps=20).model_copy(update={"run_dir": str(tmp_path / "run")})
    every = config.recipe.checkpoint_every
    config = config.model_copy(
        update={"recipe": config.recipe.model_copy(update={"steps": 3 * every})}
    )
    checkpoints = SimpleNamespace(save=lambda state, save: calls.append("save"))
    record = RunRecord(
        config,
        RunFolder(config),
        RunConsole("title", 20, Console(file=io.StringIO())),
        LoopState(0, 0),
        workers=SimpleNamespace(learner=SimpleNamespace(save=None)),  # type: ignore[arg-type]
        checkpoints=checkpoints,  # type: ignore[arg-type]
        steps=3 * every,
    )
    assert not record.checkpoint(LoopState(every + 1, 0), lambda: calls.append("settle"))
    assert calls == []
    assert record.checkpoint(LoopState(2 * every, 0), lambda: calls.append("settle"))
    assert calls == ["settle", "save"]


@pytest.mark.parametrize("error", [StopAsked(3, final=True), KeyboardInterrupt(), None])
def test_trackers_are_closed_however_a_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    config = make_config(steps=20).model_copy(update={"run_dir": str(tmp_path / "run")})
    listener = Listener()
    monkeypatch.setattr("launch.record.make_trackers", lambda *_: [listener])
    record = RunRecord(
        config,
        RunFolder(config),
        RunConsole("title", 20, Console(file=io.StringIO())),
        LoopState(0, 0),
        workers=NoWorkers(),  # type: ignore[arg-type]
        checkpoints=Checkpoints(tmp_path, 2),
        steps=20,
    )
    with suppress(StopAsked, KeyboardInterrupt), record:
        record.step(LoopState(1, 4), {"timing_s/step": 1.0, "perf/throughput": 1.0})
        if error:
            raise error
    assert listener.heard == [("log", 1), ("close", error is not None)]
    assert record._watch.late_after_s is None, "nobody is told that the run is late"
