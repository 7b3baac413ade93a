"""`launch run`: one run in its folder, from the beginning or from where it stopped."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from configs.errors import UserError
from configs.pipeline import EvaluationConfig, StageConfig
from configs.schema import RewardModelConfig, RlConfig, SampledDataConfig, SftConfig
from launch.cluster import WorkerLost, protect_ray
from launch.console import REWARD_MODEL_CURVES, RL_CURVES, SFT_CURVES, RunConsole
from launch.data_console import print_data_outcome
from launch.outcome import print_outcome, print_reward_model_outcome, print_sft_outcome
from launch.report import write_report
from launch.run_folder import RunFolder, full_disk_is_a_user_error
from launch.stage_table import print_stage_table
from launch.stop import StopAsked
from rollout.canary import CanaryError

EXIT_DONE, EXIT_ERROR, EXIT_USER, EXIT_CANARY, EXIT_WAITING = 0, 1, 2, 3, 4
EXIT_STOPPED, EXIT_WORKER_LOST, EXIT_INTERRUPTED = 85, 86, 130


def run(config: StageConfig) -> int:
    """Train or make data, or continue; returns the exit code."""
    folder = RunFolder(config)
    if not _is_finished(folder, config):
        folder.begin_attempt()
        try:
            code = _attempt(folder, config)
        except BaseException as error:
            # The error is what people must see, also where the disk has no room for notes of it.
            with suppress(OSError, UserError):
                if not _is_finished(folder, config):
                    folder.write_status(**_broken_off(error))
                folder.end_attempt(_exit_code(error))
            raise
        folder.end_attempt(code)
        if not _is_finished(folder, config):
            return code
    _show(folder.path, config)
    return EXIT_DONE


def _attempt(folder: RunFolder, config: StageConfig) -> int:
    """One life of the run, to its end or to a break; returns the exit code."""
    _log_to(folder.log_dir / "driver.log")
    protect_ray(folder.path)
    title = f"R1 Foundry · {folder.path.name} · attempt {folder.attempt}"
    try:
        with full_disk_is_a_user_error(folder.path, "the run"):
            _do(folder, config, title)
    except StopAsked as asked:
        folder.write_status(phase="stopped", message=str(asked))
        print(f"{asked}; run the same command again to continue")
        return EXIT_DONE if asked.final else EXIT_STOPPED
    except WorkerLost as lost:
        folder.write_status(phase="lost a worker", message=str(lost))
        print(f"{lost}; logs in {folder.log_dir}; run the same command again to continue")
        return EXIT_WORKER_LOST
    except CanaryError as error:
        folder.write_status(phase="stopped by the canary", message=str(error))
        print(f"{error} Nothing was trained on completions of these weights.")
        return EXIT_CANARY
    if isinstance(config, SampledDataConfig) and not folder.finished_steps():
        print_data_outcome(folder.path, waits=True)
        return EXIT_WAITING
    return EXIT_DONE


def _exit_code(error: BaseException) -> int:
    """What the process is going to end with."""
    if isinstance(error, UserError):
        return EXIT_USER
    return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_ERROR


def _broken_off(error: BaseException) -> dict[str, str]:
    """What `launch status` says of it."""
    if isinstance(error, KeyboardInterrupt):
        return {"phase": "interrupted"}
    if isinstance(error, UserError):
        return {"phase": "failed", "message": str(error)}
    first_line = (str(error).splitlines() or [""])[0]
    return {"phase": "failed", "message": f"{type(error).__name__}: {first_line}"}


def _show(folder: Path, config: StageConfig) -> None:
    if isinstance(config, EvaluationConfig):
        print_stage_table(folder)
    elif isinstance(config, SampledDataConfig):
        print_data_outcome(folder)
    elif isinstance(config, SftConfig):
        print_sft_outcome(folder, write_report(folder))
    elif isinstance(config, RewardModelConfig):
        print_reward_model_outcome(folder, write_report(folder))
    else:
        print_outcome(folder, write_report(folder))


def _is_finished(folder: RunFolder, config: StageConfig) -> bool:
    """Reinforcement learning can be made longer; the other kinds end with their data."""
    steps = config.recipe.steps if isinstance(config, RlConfig) else 1
    return folder.finished_steps() >= steps


def _do(folder: RunFolder, config: StageConfig, title: str) -> None:
    """What is imported here imports Ray, which must find its token."""
    if isinstance(config, EvaluationConfig):
        from launch.stage_evaluation import evaluate_stages_in

        evaluate_stages_in(folder, config)
    elif isinstance(config, SampledDataConfig):
        from launch.data_making import make_data_in

        with RunConsole(title, 0, curves={}) as console:
            make_data_in(folder, config, console)
    elif isinstance(config, SftConfig):
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
