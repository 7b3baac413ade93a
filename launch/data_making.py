"""A run that makes training data: sample, check, filter, rewrite, put together.

consumes  prompts and a model
produces  journal/ (samples, a file per wave), rows/ (what became of them, a file per wave), and in
          the end data.jsonl, rejected.jsonl and counts.json
waits for samplers and reward actors

A wave that is on disk is never made again, so an interrupted run ends like an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from configs.data_sets import NanoData
from configs.errors import UserError
from configs.evaluation import max_positions
from configs.schema import (
    AlgorithmSettings,
    RlConfig,
    RlLearner,
    RlRecipe,
    RlTracking,
    RolloutSettings,
    SampledDataConfig,
)
from launch.actors import RewardActor
from launch.cluster import start_ray, stop_ray
from launch.console import RunConsole
from launch.data_assembly import assemble
from launch.data_folder import DataFolder
from launch.eval_folder import model_sha256
from launch.rollouts import GenerationPlan, RayRollouts
from launch.run_folder import RunFolder
from launch.stop import end_if_asked
from launch.text_models import open_text_models
from launch.training import base_model, list_rejected
from launch.workers import start_samplers
from recipes.data_assembly import check_general, evaluation_texts
from recipes.data_rows import Finisher
from recipes.datasets import load_prompts
from recipes.trajectories import Trajectory
from rewards.scoring import Scorer, check_gold_answers
from rl.records import Outcome, Prompt, SamplingSettings
from rollout.journal import Journal
from rollout.tokens import load_tokenizer

PURPOSE = ("data", 0)
"""What the seeds are for; the prompt's id names the problem."""


def make_data_in(folder: RunFolder, config: SampledDataConfig, console: RunConsole) -> None:
    """Everything between an opened run folder and a finished run in it."""
    model = base_model(config, console.pretraining)
    tokenizer = load_tokenizer(model)
    sets = load_prompts(config.data, tokenizer)
    list_rejected(folder, sets, console)
    if config.recipe.rewriter.by == "none" and not isinstance(config.data, NanoData):
        console.doing(
            "recipe.rewriter.by=none: rows stay as the model writes them; for a cold start in the "
            "first person take endpoint or model"
        )
    check_gold_answers(sets.train, config.reward)
    evaluation = evaluation_texts(config.recipe)
    check_general(config.recipe)
    data = DataFolder(folder.path)
    data.check_inputs(model_sha256(model), sets.train)
    waves = _waves(sets.train, config.rollout.wave_prompts)
    console.total_steps = len(waves)
    journal = Journal(folder.path / "journal")
    _sample(folder, config, model, waves, data, journal, console)
    _finish(folder, config, len(waves), data, journal, console, tokenizer)
    console.doing("putting the data together")
    assemble(folder, config, data, sets, tokenizer, evaluation)


def _waves(prompts: Sequence[Prompt], size: int) -> list[Sequence[Prompt]]:
    size = size or len(prompts)
    return [prompts[start : start + size] for start in range(0, len(prompts), size)]


def _sample(
    folder: RunFolder,
    config: SampledDataConfig,
    model: Path,
    waves: Sequence[Sequence[Prompt]],
    data: DataFolder,
    journal: Journal,
    console: RunConsole,
) -> None:
    """Bring every wave that is not finished into the journal."""
    missing = [index for index in data.missing(len(waves)) if 0 not in journal.read(index)]
    if not missing:
        return
    rollout = config.rollout
    longest = _longest(config, model, waves)
    sampling = SamplingSettings(rollout.temperature, rollout.top_p, rollout.max_tokens)
    console.doing("starting Ray and the samplers")
    folder.write_status(phase="starting")
    with _engines(folder, config, model, longest) as rollouts:
        for index in missing:
            console.steps_begin(index)
            groups = rollouts.generate(waves[index], sampling, rollout.samples_per_prompt, PURPOSE)
            journal.write(index, 0, groups)
            outcomes = [score.outcome for group in groups for score in group.scores]
            right = outcomes.count(Outcome.CORRECT)
            console.doing(
                f"wave {index + 1} of {len(waves)}: {len(outcomes)} samples of {len(groups)} "
                f"prompts, {right / len(outcomes):.1%} right"
            )
            folder.write_status(phase="sampling", step=0, waves=index + 1, waves_in_all=len(waves))
            end_if_asked(folder.path, index + 1)


def _finish(
    folder: RunFolder,
    config: SampledDataConfig,
    num_waves: int,
    data: DataFolder,
    journal: Journal,
    console: RunConsole,
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    """Decide what becomes of every sample, wave by wave."""
    missing = data.missing(num_waves)
    if not missing:
        return
    with (
        Scorer(config.reward) as scorer,
        open_text_models(config, folder) as (rewriter, judge),
    ):
        finisher = Finisher(
            config.recipe,
            scorer,
            lambda text: len(tokenizer.encode(text, add_special_tokens=False)),
            rewriter,
            judge,
        )
        for index in missing:
            samples = finisher.finish(journal.read(index)[0])
            data.write_rows(index, samples)
            kept = sum(isinstance(each, Trajectory) for each in samples)
            console.doing(f"wave {index + 1} of {num_waves}: {kept} of {len(samples)} kept")
            folder.write_status(phase="filtering", step=0, waves=index + 1, waves_in_all=num_waves)
            end_if_asked(folder.path, index + 1)


@contextmanager
def _engines(
    folder: RunFolder, config: SampledDataConfig, model: Path, max_model_len: int
) -> Iterator[RayRollouts]:
    """Samplers and reward actors on a Ray cluster of their own."""
    run = as_rl_config(config)
    start_ray(config.rollout.samplers + config.reward.workers)
    try:
        samplers = start_samplers(run, model, max_model_len, folder.log_dir)
        scorers = [
            RewardActor.remote(str(folder.log_dir / f"reward-{i}.log"), run)
            for i in range(config.reward.workers)
        ]
        plan = GenerationPlan(
            run_seed=config.seed,
            samples_per_prompt=config.rollout.samples_per_prompt,
            wave_prompts=0,
            timeout_s=config.cluster.step_timeout_s,
            reward=config.reward,
        )
        journal = Journal(folder.path / "journal")
        yield RayRollouts(
            samplers, scorers, journal, plan, replace_sampler=samplers.replace, turns=None
        )
    finally:
        stop_ray()


def as_rl_config(config: SampledDataConfig) -> RlConfig:
    """The settings in the shape that sampler and reward actors take; what concerns training is
    never looked at."""
    generation = config.rollout.model_dump() | {
        # One sample per prompt is no group to train on, but data.
        "samples_per_prompt": max(2, config.rollout.samples_per_prompt),
        "transfer": "ipc" if config.cluster.device == "cuda" else "ray",
    }
    return RlConfig(
        run_dir=config.run_dir,
        seed=config.seed,
        deterministic=config.deterministic,
        recipe=RlRecipe(),
        model=config.model,
        data=config.data,
        reward=config.reward,
        algorithm=AlgorithmSettings(),
        rollout=RolloutSettings(**generation),
        learner=RlLearner(),
        cluster=config.cluster,
        tracking=RlTracking(),
    )


def _longest(config: SampledDataConfig, model: Path, waves: Sequence[Sequence[Prompt]]) -> int:
    """Most tokens of prompt and completion together. Raises UserError beyond the model's reach."""
    longest = max(len(prompt.token_ids) for wave in waves for prompt in wave)
    needed, positions = longest + config.rollout.max_tokens, max_positions(model)
    if positions is not None and needed > positions:
        raise UserError(
            f"rollout.max_tokens={config.rollout.max_tokens}: with the longest prompt, {longest} "
            f"tokens, that is more than the model's {positions} positions; at most "
            f"rollout.max_tokens={positions - longest} fits"
        )
    return needed
