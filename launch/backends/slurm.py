"""Runs on SLURM: an sbatch script, rendered from a template that users may replace."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined, TemplateError

from configs.clusters import SlurmCluster
from configs.errors import UserError
from configs.pipeline import AnyConfig
from launch.backends.base import Job, JobState
from launch.backends.log_files import follow_log, log_file, read_lines
from launch.cluster import ray_token
from launch.stages import actors_on_a_node
from launch.stop import ask_to_stop, withdraw_stop

TEMPLATE = Path(__file__).parent / "slurm.sbatch"

PENDING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"}
RUNNING = {"RUNNING", "COMPLETING", "STAGE_OUT", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING"}
"""States of squeue and sacct; in all others a job is over."""
CANCEL_WAIT_S = 60


def command(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """One of SLURM's programs. Raises UserError where it is not installed."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=60)
    except FileNotFoundError as error:
        raise UserError(
            f"cluster.kind=slurm: there is no {words[0]} here; run this where SLURM's commands "
            "are, such as a login node"
        ) from error


class SlurmBackend:
    """The Backend protocol over sbatch, squeue and scancel."""

    def __init__(
        self, run: Callable[[Sequence[str]], subprocess.CompletedProcess[str]] = command
    ) -> None:
        self._run = run

    def render(self, config: AnyConfig) -> str:
        run_dir = Path(config.run_dir).expanduser().resolve()
        return render(config, run_dir, sys.executable)

    def submit(self, config: AnyConfig) -> int:
        from launch.backends.job import write_job
        from launch.run_folder import open_folder, write_atomically

        run_dir = open_folder(config)
        script = run_dir / "job.sbatch"
        write_atomically(script, self.render(config))
        withdraw_stop(run_dir)
        ray_token(run_dir)
        done = self._run(["sbatch", "--parsable", str(script)])
        if done.returncode != 0:
            reasons = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise UserError(f"sbatch refuses {script}: {'; '.join(reasons)}")
        job_id = done.stdout.strip().partition(";")[0]
        write_job(run_dir, Job("slurm", job_id, config.cluster.kind, time.time()))
        print(
            f"SLURM job {job_id} is queued; it runs {script}\n"
            f"  launch status {run_dir}\n"
            f"  launch logs -f {run_dir}\n"
            f"  launch stop {run_dir}      saves and ends it\n"
            f"  launch cancel {run_dir}    ends it at once\n"
            f"  launch resume {run_dir}    continues it"
        )
        return 0

    def poll(self, job: Job) -> JobState:
        done = self._run(["squeue", "-h", "-t", "all", "-j", job.id, "-o", "%T|%r|%N|%M"])
        if done.returncode == 0 and done.stdout.strip():
            return from_squeue(done.stdout)
        if done.returncode != 0 and "Invalid job id" not in done.stderr:
            return JobState("unknown", done.stderr.strip(), "squeue")
        try:
            done = self._run(["sacct", "-n", "-X", "-P", "-j", job.id, "-o", "State,ExitCode"])
        except UserError:
            return JobState("ended", "SLURM no longer knows it", "squeue")
        return from_sacct(done.stdout)

    def fetch(self, run_dir: Path, job: Job) -> None:
        pass

    def logs(self, run_dir: Path, job: Job, role: str, *, follow: bool) -> Iterator[str]:
        # A stage's part of the console is in its pipeline's.
        submitted = (run_dir / "job.sbatch").is_file()
        role = role or ("console" if submitted else "driver")
        if follow:
            return follow_log(run_dir, role, lambda: self.poll(job).alive)
        return read_lines(log_file(run_dir, role))

    def signal(self, run_dir: Path, job: Job) -> str:
        if self.poll(job).state == "pending":
            self.cancel(run_dir, job)
            return "it was waiting for machines, and has been taken out of the queue"
        return "it saves and ends after the step that is running"

    def cancel(self, run_dir: Path, job: Job) -> None:
        ask_to_stop(run_dir)  # so that the script does not queue itself again
        done = self._run(["scancel", job.id])
        if done.returncode != 0:
            raise UserError(f"scancel {job.id}: {done.stderr.strip()}")
        deadline = time.monotonic() + CANCEL_WAIT_S
        while self.poll(job).alive:
            if time.monotonic() > deadline:
                raise UserError(f"job {job.id} has not ended within {CANCEL_WAIT_S} s: see squeue")
            time.sleep(0.5)


def render(config: AnyConfig, run_dir: Path, python: str) -> str:
    """The script. Raises UserError when a template of the user's cannot be read."""
    cluster = config.cluster
    assert isinstance(cluster, SlurmCluster)
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["quote"] = lambda value: shlex.quote(str(value))
    path = Path(cluster.template).expanduser() if cluster.template else TEMPLATE
    try:
        return environment.from_string(path.read_text()).render(
            options=sbatch_options(cluster, run_dir),
            run_dir=run_dir,
            python=python,
            workers=actors_on_a_node(config),
            cluster=cluster,
        )
    except (OSError, TemplateError) as error:
        raise UserError(f"cluster.template={cluster.template}: cannot be used ({error})") from error


def sbatch_options(cluster: SlurmCluster, run_dir: Path) -> list[str]:
    """What comes after #SBATCH, line by line."""
    log = str(run_dir / "logs" / "batch-%j.out").replace('"', '\\"')
    options = [
        f"--job-name=r1-{re.sub(r'[^A-Za-z0-9._-]', '-', run_dir.name)}",
        f"--nodes={cluster.nodes}",
        "--ntasks-per-node=1",
        f'--output="{log}"',
        "--open-mode=append",
        "--requeue",
        f"--signal=B:USR1@{cluster.stop_before_s}",
    ]
    if cluster.cpus_per_node:
        options += [f"--cpus-per-task={cluster.cpus_per_node}"]
    else:
        options += ["--exclusive", "--mem=0"]
    if cluster.device == "cuda":
        options += [f"--gpus-per-node={cluster.devices_per_node}"]
    named = {"partition": cluster.partition, "account": cluster.account, "time": cluster.time_limit}
    options += [f"--{name}={value}" for name, value in named.items() if value]
    return options + list(cluster.sbatch)


def from_squeue(output: str) -> JobState:
    """One line of squeue -o "%T|%r|%N|%M": state, reason, nodes, time."""
    state, reason, nodes, elapsed = output.strip().splitlines()[0].split("|")
    if state in PENDING:
        return JobState("pending", f"{state}: {reason}", "squeue")
    if state in RUNNING:
        return JobState("running", f"{state} on {nodes} for {elapsed}", "squeue")
    return JobState("ended", state if reason in ("None", "") else f"{state}: {reason}", "squeue")


def from_sacct(output: str) -> JobState:
    """Lines of sacct -o State,ExitCode, one for each life: "CANCELLED by 0|0:15"."""
    lines = output.strip().splitlines()
    if not lines:
        return JobState("ended", "SLURM no longer knows it", "sacct")
    state, _, code = lines[-1].partition("|")
    word = state.split()[0]
    kind = "pending" if word in PENDING else "running" if word in RUNNING else "ended"
    return JobState(kind, f"{state}, exit code {code}", "sacct")
