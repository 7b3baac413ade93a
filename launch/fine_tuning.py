"""A run of supervised fine-tuning put together: model, data, learner, the loop, what watches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.errors import UserError
from configs.schema import SftConfig
from launch.checkpoints import Checkpoints
from launch.console import RunConsole
from launch.heldout import HeldoutObserver
from launch.learner_group import LearnerGroup
from launch.record import RunRecord
from launch.run_folder import RunFolder, write_atomically
from launch.training import base_model, resume
from launch.workers import start_workers
from recipes.sft_data import SequenceStore, check_enough, load_sequences
from rl.protocols import LoopState
from rl.sft import fine_tune, mean_loss, num_updates
from rollout.tokens import end_token_ids, load_tokenizer


def fine_tune_in(folder: RunFolder, config: SftConfig, console: RunConsole) -> None:
    """Everything between an opened run folder and a finished run in it."""
    model_path = base_model(config, console.pretraining)
    console.doing("reading the data")
    sets = load_sequences(config.data, load_tokenizer(model_path), end_token_ids(model_path))
    for reason, count in sets.counts().items():
        console.doing(f"data: {count} rows left out: {reason}")
    write_atomically(folder.path / "rejected.jsonl", sets.rejected_json())
    check_enough(sets, config)
    data = sets.summary()
    check_same_data(folder.path, data)
    checkpoints = Checkpoints(folder.path / "checkpoints", config.recipe.keep_checkpoints)
    console.doing("starting Ray and the learner")
    folder.write_status(phase="starting")
    longest = max(sets.train.longest(), sets.heldout.longest())
    with start_workers(config, model_path, longest, folder.log_dir) as workers:
        write_atomically(folder.path / "data.json", json.dumps(data, indent=2))
        state = resume(workers.learner, checkpoints, console)
        steps = num_updates(len(sets.train), config)
        console.total_steps = steps
        with RunRecord(
            config, folder, console, state, workers=workers, checkpoints=checkpoints, steps=steps
        ) as record:
            heldout = HeldoutLoss(folder.path / "eval", config, sets.heldout, workers.learner)
            if state.step == 0:
                console.doing(f"loss of {len(sets.heldout)} held-out sequences")
                heldout.at(state)
            console.steps_begin(state.step)
            observer = HeldoutObserver(
                heldout.metrics, record, every=config.recipe.eval_every, steps=steps
            )
            state = fine_tune(config, state, sets.train, learner=workers.learner, observer=observer)
            console.doing("saving the final model")
            heldout.at(state)
            record.finish(state)


def check_same_data(folder: Path, data: Mapping[str, object]) -> None:
    """Raises UserError when the run began with other sequences. data: SequenceSets.summary()."""
    path = folder / "data.json"
    if path.exists() and json.loads(path.read_text()) != data:
        raise UserError(
            f"data: not what the run in {folder} began with (see data.json there): the data, the "
            "tokenizer or the chat template has changed; bring it back, or use another run_dir"
        )


@dataclass(frozen=True, slots=True)
class HeldoutResult:
    """One line of the run's evaluation."""

    version: int
    """Updates in the evaluated weights."""
    sequences: int
    loss_tokens: int
    loss: float
    """Mean negative log-likelihood per loss token, in nats."""


class HeldoutLoss:
    """The loss of the held-out sequences, measured once per step of a run."""

    def __init__(
        self, folder: Path, config: SftConfig, sequences: SequenceStore, learner: LearnerGroup
    ) -> None:
        self._folder = folder
        self._config = config
        self._sequences = sequences
        self._learner = learner

    def at(self, state: LoopState) -> float | None:
        """With the policy as it is; None when nothing is held out."""
        if not self._sequences:
            return None
        path = self._folder / f"loss-{state.step:06d}.json"
        if not path.exists():
            result = HeldoutResult(
                version=state.version,
                sequences=len(self._sequences),
                loss_tokens=sum(int(each.loss_mask.sum()) for each in self._sequences),
                loss=mean_loss(self._sequences, self._learner, self._config),
            )
            write_atomically(path, json.dumps(asdict(result)))
        return HeldoutResult(**json.loads(path.read_text())).loss

    def metrics(self, state: LoopState) -> dict[str, float]:
        loss = self.at(state)
        return {} if loss is None else {"heldout/loss": loss}
