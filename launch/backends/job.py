"""job.json: which job a run folder belongs to, and whether that job is still there."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from configs.errors import UserError
from configs.pipeline import AnyConfig
from launch.backends.base import Backend, Job
from launch.backends.kubernetes import KubernetesBackend
from launch.backends.local import LocalBackend
from launch.backends.slurm import SlurmBackend
from launch.run_folder import write_atomically

BACKENDS: dict[str, type[Backend]] = {
    "local": LocalBackend,
    "slurm": SlurmBackend,
    "kubernetes": KubernetesBackend,
}
"""cluster.kind -> who takes care of it."""


def backend_of(kind: str) -> Backend:
    return BACKENDS[kind]()


def read_job(run_dir: Path) -> Job:
    """Raises UserError when the folder holds no started run."""
    path = run_dir / "job.json"
    if not path.is_file():
        raise UserError(f"{run_dir}: no started run (no job.json); name a folder of runs/")
    return Job(**json.loads(path.read_text()))


def write_job(run_dir: Path, job: Job) -> None:
    write_atomically(run_dir / "job.json", json.dumps(asdict(job), indent=2))


def submit(config: AnyConfig) -> int:
    """Start or continue a run where its settings say; returns the exit code.

    Raises UserError while an earlier start of it is still running or waiting.
    """
    refuse_if_in_use(Path(config.run_dir).expanduser().resolve())
    return backend_of(config.cluster.kind).submit(config)


def refuse_if_in_use(run_dir: Path) -> None:
    """Raises UserError while something runs, or waits to run, in this folder."""
    if not (run_dir / "job.json").is_file():
        return
    job = read_job(run_dir)
    state = backend_of(job.backend).poll(job)
    if state.alive:
        raise UserError(
            f"run_dir={run_dir}: is in use by {job.backend} job {job.id} ({state.detail}): wait "
            f"for it, end it with `launch stop {run_dir}`, or choose another run_dir"
        )
