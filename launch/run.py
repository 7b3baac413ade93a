"""`launch run`: one run in its folder, from the beginning or from where it stopped."""

from __future__ import annotations

import logging
from pathlib import Path

from configs.schema import RewardModelConfig, RlConfig, RunConfig, SftConfig
from launch.cluster import WorkerLost, protect_ray
from launch.console import REWARD_MODEL_CURVES, RL_CURVES, SFT_CURVES, RunConsole
from launch.outcome import print_outcome, print_reward_model_outcome, print_sft_outcome
from launch.report import write_report
from launch.run_folder import RunFolder, full_disk_is_a_user_error
from rollout.canary import CanaryError

EXIT_DONE, EXIT_CANARY, EXIT_WORKER_LOST = 0, 3, 86


def run(config: RunConfig) -> int:
    """Train, or continue; returns the exit code."""
    folder = RunFolder(config)
    if not _is_finished(folder, config):
        folder.begin_attempt()
        _log_to(folder.log_dir / "driver.log")
        protect_ray(folder.path)
        title = f"R1 Foundry · {folder.path.name} · attempt {folder.attempt}"
        try:
            with full_disk_is_a_user_error(folder.path, "the run"):
                _train(folder, config, title)
        except WorkerLost as lost:
            folder.write_status(phase="lost a worker", message=str(lost))
            print(f"{lost}; logs in {folder.log_dir}; run the same command again to continue")
            return EXIT_WORKER_LOST
        except CanaryError as error:
            folder.write_status(phase="stopped by the canary", message=str(error))
            print(f"{error} Nothing was trained on completions of these weights.")
            return EXIT_CANARY
    show = {
        "rl": print_outcome,
        "sft": print_sft_outcome,
        "reward_model": print_reward_model_outcome,
    }
    show[config.recipe.kind](folder.path, write_report(folder.path))
    return EXIT_DONE


def _is_finished(folder: RunFolder, config: RunConfig) -> bool:
    """Reinforcement learning can be made longer; the other kinds end with their data."""
    steps = config.recipe.steps if isinstance(config, RlConfig) else 1
    return folder.finished_steps() >= steps


def _train(folder: RunFolder, config: RunConfig, title: str) -> None:
    """What is imported here imports Ray, which must find its token."""
    if isinstance(config, SftConfig):
        from launch.fine_tuning import fine_tune_in

        with RunConsole(title, 0, curves=SFT_CURVES) as console:
            fine_tune_in(folder, config, console)
    elif isinstance(config, RewardModelConfig):
        from launch.reward_training import train_reward_model_in

        with RunConsole(title, 0, curves=REWARD_MODEL_CURVES) as console:
            train_reward_model_in(folder, config, console)
    else:
        from launch.training import train_in

        with RunConsole(title, config.recipe.steps, curves=RL_CURVES) as console:
            train_in(folder, config, console)


def _log_to(path: Path) -> None:
    """The driver's own log file; the terminal belongs to the console."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
