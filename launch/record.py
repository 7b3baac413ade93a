"""What every kind of run leaves behind: metrics, status, checkpoints, the final model."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Self

from configs.schema import RewardModelConfig, RunConfig
from launch.alarms import FREE_DISK_METRIC, Alarm
from launch.checkpoints import Checkpoints
from launch.console import RunConsole
from launch.model_card import CARD, GENERATION, generation_config, model_card
from launch.run_folder import RunFolder, write_atomically
from launch.stop import StopAsked, stop_asked
from launch.trackers import make_trackers, read_metrics
from launch.watch import Watch
from launch.workers import Workers
from rl.protocols import LoopState
from rl.records import Group


class RunRecord:
    """Writes into the run folder, to the trackers and to the console.

    A context: however the run ends, what the trackers hold back still goes out.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        console: RunConsole,
        state: LoopState,
        *,
        workers: Workers,
        checkpoints: Checkpoints,
        steps: int,
    ) -> None:
        """state: where this attempt begins. steps: of the whole run."""
        self._config = config
        self._folder = folder
        self._console = console
        self._workers = workers
        self._checkpoints = checkpoints
        self._steps = steps
        self._step = state.step
        self._trackers = make_trackers(config, folder.path, state.step)
        self._watch = Watch(read_metrics(folder.path / "metrics.jsonl"), self._tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._watch.stop()
        for tracker in self._trackers:
            tracker.close(broken_off=kind is not None)

    def step(self, state: LoopState, metrics: Mapping[str, float]) -> None:
        """Before the checkpoint of the step: a restart keeps the lines up to its checkpoint."""
        disk = shutil.disk_usage(self._folder.path)
        metrics = {
            **metrics,
            **self._workers.peak_memory(),
            FREE_DISK_METRIC: disk.free / disk.total,
        }
        self._step = state.step
        for tracker in self._trackers:
            tracker.log(state.step, metrics)
        self._watch.step(metrics)
        if state.step == self._steps:
            self._watch.stop()
        self._console.step(state.step, metrics, self._watch.alarms)
        self._folder.write_status(
            phase="training",
            step=state.step,
            steps=self._steps,
            version=state.version,
            alarms=[asdict(alarm) for alarm in self._watch.alarms],
            late_after_s=self._watch.late_after_s,
            metrics=metrics,
        )

    def evaluation(self, state: LoopState, metrics: Mapping[str, float]) -> None:
        for tracker in self._trackers:
            tracker.evaluation(state.step, metrics)

    def rollouts(self, state: LoopState, groups: Sequence[Group]) -> None:
        """Groups of a step for reading, in the trackers too, as often as there are checkpoints."""
        if state.step % self._config.recipe.checkpoint_every == 0 or state.step == self._steps:
            for tracker in self._trackers:
                tracker.rollouts(state.step, groups)

    def checkpoint(self, state: LoopState, before: Callable[[], None] = lambda: None) -> bool:
        """Save the learner if it is time to; whether it was. before: called first, if it is.

        Raises StopAsked, with everything saved, when somebody wants the run to end here.
        """
        asked = stop_asked(self._folder.path)
        regular = state.step % self._config.recipe.checkpoint_every == 0
        due = regular or state.step == self._steps or asked is not None
        if due:
            self._console.doing(f"writing the checkpoint of step {state.step}")
            before()
            self._checkpoints.save(state, self._workers.learner.save)
        if asked:
            raise StopAsked(state.step, final=asked == "final")
        return due

    def finish(self, state: LoopState, files: Mapping[str, str] = MappingProxyType({})) -> None:
        """The model as a Hugging Face folder, with its hash. files: name -> text, put beside it."""
        final = self._folder.path / "final"
        shutil.rmtree(final, ignore_errors=True)
        self._workers.learner.save_model(final)
        weights = weights_sha256(final)
        texts = {**files, CARD: model_card(self._folder.path, self._config, state.version, weights)}
        if not isinstance(self._config, RewardModelConfig):
            texts[GENERATION] = generation_config(final)
        for name, text in texts.items():
            write_atomically(final / name, text)
        self._folder.write_status(
            phase="finished",
            step=state.step,
            steps=self._steps,
            version=state.version,
            alarms=[asdict(alarm) for alarm in self._watch.alarms],
            weights_sha256=weights,
        )

    def _tell(self, alarm: Alarm) -> None:
        self._console.alarm(alarm)
        for tracker in self._trackers:
            tracker.alarm(self._step, alarm)


def weights_sha256(folder: Path) -> str:
    """One hash over all weight files of a model folder, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
