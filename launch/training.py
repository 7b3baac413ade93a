"""A run of reinforcement learning put together: model, data, workers, the loop, its watchers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from configs.schema import AnyRunConfig, NanoModel, RlConfig
from launch.checkpoints import Checkpoints
from launch.cluster import WorkerLost
from launch.console import RunConsole
from launch.learner_group import LearnerGroup
from launch.observer import RunObserver
from launch.preferences import Preferences
from launch.publisher import RayPublisher
from launch.record import RunRecord
from launch.rollouts import GenerationPlan, RayRollouts
from launch.run_folder import RunFolder, write_atomically
from launch.transfer import DeviceTransfer, ObjectStoreTransfer, Turns
from launch.workers import start_workers
from recipes.datasets import PromptSets, load_prompts
from recipes.general_prompts import load_general, mixed_prompts_for_step
from recipes.nano_base import Progress, build_base
from recipes.nano_student import build_student
from rewards.scoring import check_gold_answers
from rl.loop import train
from rl.protocols import LoopState
from rl.records import Prompt
from rollout.canary import Canary
from rollout.journal import Journal
from rollout.tokens import load_tokenizer


def train_in(folder: RunFolder, config: RlConfig, console: RunConsole) -> None:
    """Everything between an opened run folder and a finished run in it."""
    model_path = base_model(config, console.pretraining)
    tokenizer = load_tokenizer(model_path)
    prompts = load_prompts(config.data, tokenizer)
    general = load_general(config, tokenizer)
    list_rejected(folder, prompts, console)
    check_gold_answers([*prompts.train, *general], config.reward)
    journal = Journal(folder.path / "journal")
    checkpoints = Checkpoints(folder.path / "checkpoints", config.recipe.keep_checkpoints)
    plan = GenerationPlan(
        run_seed=config.seed,
        samples_per_prompt=config.rollout.samples_per_prompt,
        wave_prompts=config.rollout.wave_prompts,
        timeout_s=config.cluster.step_timeout_s,
        reward=config.reward,
    )
    console.doing("starting Ray, the sampler and the learner")
    folder.write_status(phase="starting")
    max_tokens = longest_sequence(config, [*prompts.train, *prompts.heldout, *general])
    texts = [prompt.token_ids for prompt in prompts.train]
    canary = Canary.build(config.rollout, config.learner.dtype, texts, max_tokens)
    with start_workers(config, model_path, max_tokens, folder.log_dir) as workers:
        state = resume(workers.learner, checkpoints, console)
        turns = Turns(workers.learner, workers.samplers, config.learner.offload)
        if config.rollout.transfer == "ray":
            transfer = ObjectStoreTransfer(workers.learner)
        else:
            transfer = DeviceTransfer(workers.learner, workers.samplers, config)
        publisher = RayPublisher(
            workers.learner, workers.samplers, transfer, turns, canary, config.learner.row_tokens
        )

        def replace_sampler(index: int) -> None:
            if config.rollout.max_staleness > 0:
                # The learner may be in the middle of the updates after those of this policy.
                raise WorkerLost(f"sampler {index} died while the learner was training")
            console.doing(f"sampler {index} died; a new one samples its part again")
            publisher.replace(index)

        rollouts = RayRollouts(
            workers.samplers,
            workers.scorers,
            journal,
            plan,
            replace_sampler=replace_sampler,
            turns=turns,
            preferences=Preferences(workers.raters, config) if workers.raters else None,
        )
        with RunRecord(
            config,
            folder,
            console,
            state,
            workers=workers,
            checkpoints=checkpoints,
            steps=config.recipe.steps,
        ) as record:
            observer = RunObserver(
                config,
                folder,
                console,
                record,
                rollouts=rollouts,
                publisher=publisher,
                checkpoints=checkpoints,
                journal=journal,
                heldout=prompts.heldout[: config.recipe.eval_problems],
            )
            # A run may have been stopped between the checkpoint of a step and its evaluation.
            observer.evaluate_if_due(state)
            console.steps_begin(state.step)
            state = train(
                config,
                state,
                prompts_for=lambda step: mixed_prompts_for_step(
                    prompts.train, general, config, step
                ),
                rollouts=rollouts,
                learner=workers.learner,
                publisher=publisher,
                observer=observer,
            )
            console.doing("evaluating and saving the final model")
            observer.finish(state)


def list_rejected(folder: RunFolder, prompts: PromptSets, console: RunConsole) -> None:
    """Count the problems that were left out for people to see, and list them in the run folder."""
    for reason, count in prompts.rejected.items():
        console.doing(f"data: {count} rows left out: {reason}")
    if prompts.rejected_rows:
        lines = [json.dumps(asdict(row), ensure_ascii=False) for row in prompts.rejected_rows]
        write_atomically(folder.path / "rejected_problems.jsonl", "\n".join(lines) + "\n")


def base_model(config: AnyRunConfig, progress: Progress | None = None) -> Path:
    """The folder of the model that training starts from; nano models are built on first use."""
    if isinstance(config.model, NanoModel):
        build = build_student if config.model.architecture == "llama" else build_base
        return build(config.model, progress)
    return Path(config.model.path).expanduser()


def resume(learner: LearnerGroup, checkpoints: Checkpoints, console: RunConsole) -> LoopState:
    """The newest checkpoint, loaded; or the beginning."""
    found = checkpoints.latest()
    if found is None:
        return LoopState(step=0, version=0)
    folder, state = found
    console.doing(f"continuing after step {state.step} ({folder.name})")
    learner.load(folder)
    return state


def longest_sequence(config: RlConfig, prompts: Sequence[Prompt]) -> int:
    """Tokens of the longest prompt and the longest completion that the run allows."""
    return max(len(prompt.token_ids) for prompt in prompts) + config.longest_completion
