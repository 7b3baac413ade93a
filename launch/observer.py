"""What happens around the steps: metrics, samples, checkpoints, evaluations, the final model."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from configs.schema import RunConfig
from launch.checkpoints import Checkpoints
from launch.console import RunConsole
from launch.publisher import RayPublisher
from launch.rollouts import RayRollouts
from launch.run_folder import RunFolder, write_atomically
from launch.trackers import make_trackers
from launch.workers import Workers
from recipes.evaluation import evaluate, group_json, to_json
from rl.loop import sampling_settings
from rl.protocols import LoopState, StepResult
from rl.records import Group, Prompt
from rollout.journal import Journal


class RunObserver:
    """The Observer protocol of a run on disk."""

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        console: RunConsole,
        state: LoopState,
        *,
        workers: Workers,
        rollouts: RayRollouts,
        publisher: RayPublisher,
        checkpoints: Checkpoints,
        journal: Journal,
        heldout: Sequence[Prompt],
    ) -> None:
        self._config = config
        self._folder = folder
        self._console = console
        self._workers = workers
        self._rollouts = rollouts
        self._publisher = publisher
        self._checkpoints = checkpoints
        self._journal = journal
        self._heldout = heldout
        self._trackers = make_trackers(config, folder.path, state.step)

    def step_finished(self, result: StepResult) -> None:
        """Metrics go out before the checkpoint: a restart keeps the lines up to its checkpoint."""
        recipe, state = self._config.recipe, result.state
        metrics = {**result.metrics, **self._workers.peak_memory()}
        for tracker in self._trackers:
            tracker.log(state.step, metrics)
        self._write_samples(state, result.groups)
        self._console.step(state.step, metrics)
        self._folder.write_status(
            phase="training",
            step=state.step,
            steps=recipe.steps,
            version=state.version,
            metrics=metrics,
        )
        if state.step % recipe.checkpoint_every == 0 or state.step == recipe.steps:
            self._console.doing(f"writing the checkpoint of step {state.step}")
            self._checkpoints.save(state, self._workers.learner.save)
            self._journal.discard_before(self._checkpoints.oldest_step())
        if recipe.eval_every and state.step % recipe.eval_every == 0 < recipe.steps - state.step:
            self.evaluate(state)

    def evaluate(self, state: LoopState) -> None:
        """Held-out problems with the policy as it is; once per step of a run."""
        path = self._folder.path / "eval" / f"step-{state.step:06d}.json"
        if path.exists():
            return
        self._console.doing(f"evaluating on {len(self._heldout)} held-out problems")
        self._publisher.publish(state.version)
        groups = self._rollouts.generate(
            self._heldout,
            sampling_settings(self._config, state.version),
            self._config.recipe.eval_samples,
            ("eval", state.step),
        )
        write_atomically(path, to_json(evaluate(groups, state.version), groups))

    def finish(self, state: LoopState) -> None:
        """The last evaluation and the model as a Hugging Face folder, with its hash."""
        self.evaluate(state)
        final = self._folder.path / "final"
        shutil.rmtree(final, ignore_errors=True)
        self._workers.learner.save_model(final)
        self._folder.write_status(
            phase="finished",
            step=state.step,
            steps=self._config.recipe.steps,
            version=state.version,
            weights_sha256=weights_sha256(final),
        )
        for tracker in self._trackers:
            tracker.close()

    def _write_samples(self, state: LoopState, groups: Sequence[Group]) -> None:
        shown = groups[: self._config.tracking.samples_per_step]
        lines = [json.dumps(group_json(group), ensure_ascii=False) + "\n" for group in shown]
        path = self._folder.path / "rollouts" / f"step-{state.step:06d}.jsonl"
        write_atomically(path, "".join(lines))


def weights_sha256(folder: Path) -> str:
    """One hash over all weight files of a model folder, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
