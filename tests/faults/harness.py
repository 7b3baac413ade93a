"""Starts real runs in processes of their own and kills parts of them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TINY = (
    "model=nano_v3",
    "recipe.steps=4",
    "recipe.checkpoint_every=2",
    "recipe.eval_problems=8",
    "recipe.eval_samples=2",
    "rollout.prompts_per_step=8",
    "rollout.samples_per_prompt=8",
    "rollout.wave_prompts=4",
    "rollout.max_tokens=24",
    "rollout.samplers=1",
    "learner.ranks=1",
    "learner.mini_batches=2",
    # So that rewards differ within a group although the base model is hardly trained.
    "algorithm.drop_zero_variance=false",
    "model.pretrain_steps=30",
)
LIMIT_S = 600


def _small(stage: str) -> list[str]:
    """Settings of a stage of reinforcement learning that takes seconds."""
    words = [word for word in TINY if not word.startswith("model=")]
    return [f"stages.{stage}.{word}" for word in words]


SMALL_PIPELINE = (
    *("r1", "recipe.without=[cold_start_data]", *_small("zero"), *_small("student_rl")),
    *("stages.evaluation.recipe.problems=8", "stages.evaluation.recipe.samples=2"),
)
"""R1-Zero, the student trained by RL alone, and both evaluated."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One life of a run that has ended."""

    exit_code: int
    output: str


def start(run_dir: Path, cache_dir: Path, *overrides: str) -> subprocess.Popen[str]:
    """The command line as a user gives it, in a process group of its own."""
    words = [*TINY, f"run_dir={run_dir}", f"model.cache_dir={cache_dir}", *overrides]
    return subprocess.Popen(
        [sys.executable, "-m", "launch.cli", "run", "r1_zero", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> Attempt:
    """Wait for the end, however it comes."""
    output, _ = process.communicate(timeout=LIMIT_S)
    return Attempt(process.returncode, output)


def wait_for_journal(run_dir: Path, process: subprocess.Popen[str], waves: int) -> None:
    """Until so many waves are in the journal, counted over the whole run."""
    deadline = time.monotonic() + LIMIT_S
    ready = run_dir / "logs" / "latest" / "processes.json"
    journal = run_dir / "journal"
    while not ready.exists() or len(list(journal.glob("*.parquet"))) < waves:
        assert process.poll() is None, f"ended too early:\n{process.communicate()[0]}"
        assert time.monotonic() < deadline, f"no {waves} waves within {LIMIT_S} s"
        time.sleep(0.02)


def kill(run_dir: Path, role: str) -> None:
    """SIGKILL one process of the run's newest attempt: "driver", "sampler 0" ..."""
    processes = json.loads((run_dir / "logs" / "latest" / "processes.json").read_text())
    os.kill(processes[role], signal.SIGKILL)


def interrupted_run(
    run_dir: Path,
    cache_dir: Path,
    role: str,
    *,
    waves: int,
    rng: random.Random,
    within_s: float = 1.5,
    **options: str,
) -> tuple[Attempt, set[str]]:
    """A run in which one process is killed at a random time after the given number of waves.

    Returns that attempt and the journal's files at the moment of the kill.
    """
    process = start(run_dir, cache_dir, *(f"{k}={v}" for k, v in options.items()))
    wait_for_journal(run_dir, process, waves)
    time.sleep(rng.uniform(0.0, within_s))
    journal = {path.name for path in (run_dir / "journal").glob("*.parquet")}
    kill(run_dir, role)
    return finish(process), journal


def final_sha256(run_dir: Path) -> str:
    status = json.loads((run_dir / "status.json").read_text())
    assert status["phase"] == "finished", status
    return status["weights_sha256"]


def generated_waves(run_dir: Path, attempt: int) -> set[tuple[int, int]]:
    """(step, wave) of everything that an attempt generated for training."""
    waves = set()
    for line in (run_dir / "logs" / f"attempt-{attempt}" / "driver.log").read_text().splitlines():
        if "generated and journalled" in line:
            words = line.split()
            waves.add((int(words[words.index("step") + 1].rstrip(":")), int(words[-4])))
    return waves


def leftover_processes(run_dir: Path) -> list[str]:
    """Command lines of processes that still run with this run folder in them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(run_dir) in line:
            found.append(line)
    return found
