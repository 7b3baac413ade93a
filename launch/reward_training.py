"""A run that trains a reward model put together: data, learner, the loop, what watches it.

final/ is what transformers calls a model for sequence classification with one label: the backbone's
weights, the head as score.weight [1, D], and the tokenizer; reward_model.json beside it says what
the model was trained to judge (recipes.reward_folder.RewardModelFacts).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.schema import RewardModelConfig
from launch.checkpoints import Checkpoints
from launch.console import RunConsole
from launch.fine_tuning import check_same_data
from launch.heldout import HeldoutObserver
from launch.learner_group import LearnerGroup
from launch.record import RunRecord
from launch.run_folder import RunFolder, write_atomically
from launch.training import base_model, resume
from launch.workers import start_workers
from recipes.pair_judging import AskedJudge
from recipes.reward_data import JudgedSets, load_judged
from recipes.reward_folder import FACTS_FILE, RewardModelFacts
from recipes.text_models import EndpointModel
from rl.protocols import LoopState
from rl.reward_model import fit, heldout_scores, num_updates
from rollout.tokens import end_token_ids, load_tokenizer

CENTER_ROWS = 512
"""Rows to find the zero of the scores from, where none are held out."""


def train_reward_model_in(
    folder: RunFolder, config: RewardModelConfig, console: RunConsole
) -> None:
    """Everything between an opened run folder and a finished run in it."""
    model_path = base_model(config, console.pretraining)
    console.doing("reading the data")
    judge = None
    if config.judge.by == "endpoint":
        judge = AskedJudge(
            EndpointModel(config.judge, "judge", folder.path / "replies-judge.jsonl")
        )
    sets = load_judged(config, load_tokenizer(model_path), end_token_ids(model_path), judge)
    for reason, count in sets.counts().items():
        console.doing(f"data: {count} rows left out: {reason}")
    write_atomically(folder.path / "rejected.jsonl", sets.rejected_json())
    data = sets.summary()
    check_same_data(folder.path, data)
    checkpoints = Checkpoints(folder.path / "checkpoints", config.recipe.keep_checkpoints)
    console.doing("starting Ray and the learner")
    folder.write_status(phase="starting")
    units = [*sets.train, *sets.heldout]
    longest = max(len(segment) for unit in units for segment in unit.segments)
    with start_workers(config, model_path, longest, folder.log_dir) as workers:
        write_atomically(folder.path / "data.json", json.dumps(data, indent=2))
        state = resume(workers.learner, checkpoints, console)
        steps = num_updates(len(sets.train), config)
        console.total_steps = steps
        with RunRecord(
            config, folder, console, state, workers=workers, checkpoints=checkpoints, steps=steps
        ) as record:
            heldout = HeldoutJudgement(folder.path / "eval", config, sets, workers.learner)
            if state.step == 0:
                console.doing(f"judging {len(sets.heldout)} held-out rows")
                heldout.at(state)
            console.steps_begin(state.step)
            observer = HeldoutObserver(
                heldout.metrics, record, every=config.recipe.eval_every, steps=steps
            )
            state = fit(config, state, sets.train, learner=workers.learner, observer=observer)
            console.doing("saving the final model")
            facts = heldout.facts(state)
            record.finish(state, {FACTS_FILE: json.dumps(asdict(facts), indent=2)})


@dataclass(frozen=True, slots=True)
class HeldoutResult:
    """One line of the run's evaluation."""

    version: int
    """Updates in the evaluated weights."""
    rows: int
    accuracy: float
    """Share of the held-out pairs, or labelled responses, that are judged as the data says."""
    loss: float
    mean_score: float


class HeldoutJudgement:
    """How well held-out rows are judged, measured once per step of a run."""

    def __init__(
        self, folder: Path, config: RewardModelConfig, sets: JudgedSets, learner: LearnerGroup
    ) -> None:
        self._folder = folder
        self._config = config
        self._sets = sets
        self._learner = learner

    def at(self, state: LoopState) -> HeldoutResult | None:
        """With the model as it is; None when nothing is held out."""
        if not self._sets.heldout:
            return None
        path = self._folder / f"judged-{state.step:06d}.json"
        if not path.exists():
            found = heldout_scores(self._sets.heldout, self._learner, self._config)
            result = HeldoutResult(state.version, len(self._sets.heldout), **asdict(found))
            write_atomically(path, json.dumps(asdict(result)))
        return HeldoutResult(**json.loads(path.read_text()))

    def metrics(self, state: LoopState) -> dict[str, float]:
        found = self.at(state)
        return {} if found is None else {"heldout/accuracy": found.accuracy}

    def facts(self, state: LoopState) -> RewardModelFacts:
        """Pairs say nothing about the level of the scores: their mean becomes the zero."""
        if self._config.recipe.objective == "pointwise":
            return RewardModelFacts("pointwise", center=0.0)
        judged = self._sets.heldout or self._sets.train[:CENTER_ROWS]
        mean = heldout_scores(judged, self._learner, self._config).mean_score
        return RewardModelFacts("pairwise", center=mean)
