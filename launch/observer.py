"""What happens around the steps of reinforcement learning: samples, evaluations, the journal."""

from __future__ import annotations

import json
from collections.abc import Sequence

from configs.schema import RlConfig
from launch.checkpoints import Checkpoints
from launch.console import RunConsole
from launch.publisher import RayPublisher
from launch.record import RunRecord
from launch.rollouts import RayRollouts
from launch.run_folder import RunFolder, write_atomically
from recipes.evaluation import evaluate, evaluation_metrics, group_json, to_json
from rl.loop import sampling_settings
from rl.protocols import LoopState, StepResult
from rl.records import Group, Prompt
from rollout.journal import Journal


class RunObserver:
    """The Observer protocol of a run on disk."""

    def __init__(
        self,
        config: RlConfig,
        folder: RunFolder,
        console: RunConsole,
        record: RunRecord,
        *,
        rollouts: RayRollouts,
        publisher: RayPublisher,
        checkpoints: Checkpoints,
        journal: Journal,
        heldout: Sequence[Prompt],
    ) -> None:
        self._config = config
        self._folder = folder
        self._console = console
        self._record = record
        self._rollouts = rollouts
        self._publisher = publisher
        self._checkpoints = checkpoints
        self._journal = journal
        self._heldout = heldout

    def step_finished(self, result: StepResult) -> None:
        state = result.state
        self._write_samples(state, result.groups)
        self._record.step(state, {**result.metrics, **self._rollouts.load()})
        if self._record.checkpoint(state, self._rollouts.settle):
            self._journal.discard_before(self._checkpoints.oldest_step())
        self.evaluate_if_due(state)

    def evaluate_if_due(self, state: LoopState) -> None:
        """At the beginning of a run and regularly on the way; the end is finish's."""
        recipe = self._config.recipe
        regular = state.step == 0 or (recipe.eval_every and state.step % recipe.eval_every == 0)
        if regular and state.step < recipe.steps:
            self.evaluate(state)

    def evaluate(self, state: LoopState) -> None:
        """Held-out problems with the policy as it is; once per step of a run."""
        path = self._folder.path / "eval" / f"step-{state.step:06d}.json"
        if path.exists():
            return
        self._console.doing(f"evaluating on {len(self._heldout)} held-out problems")
        self._rollouts.settle()
        self._publisher.publish(state.version)
        groups = self._rollouts.generate(
            self._heldout,
            sampling_settings(self._config, state.version),
            self._config.recipe.eval_samples,
            ("eval", state.step),
        )
        evaluation = evaluate(groups, state.version)
        # First, for the file says that all of it has been done; twice is no harm.
        self._record.evaluation(state, evaluation_metrics(evaluation))
        write_atomically(path, to_json(evaluation, groups))

    def finish(self, state: LoopState) -> None:
        """The last evaluation and the final model."""
        self.evaluate(state)
        self._record.finish(state)

    def _write_samples(self, state: LoopState, groups: Sequence[Group]) -> None:
        shown = groups[: self._config.tracking.samples_per_step]
        lines = [json.dumps(group_json(group), ensure_ascii=False) + "\n" for group in shown]
        path = self._folder.path / "rollouts" / f"step-{state.step:06d}.jsonl"
        write_atomically(path, "".join(lines))
        self._record.rollouts(state, shown)
