"""What a run needs beside the machine: its folder, the sandbox, W&B, the scheduler."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from configs.errors import UserError
from configs.kubernetes import KubernetesCluster
from configs.schema import RlConfig, RunConfig
from launch.alarms import FREE_DISK
from launch.backends.job import BACKENDS, backend_of
from launch.doctor.finding import Finding, ok, problem, warning
from launch.trackers import wandb_mode
from rewards.sandbox.tiers import choose_machine

Run = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]

GIB = 2**30
SHARED_KINDS = (
    "nfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "cifs",
    "9p",
    "fuse",
    "weka",
    "panfs",
    "pvfs",
)
COMMAND_LIMIT_S = 60
NODES_LIMIT_S = 30


def command(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A program of the scheduler. One that is missing, or does not answer, has failed."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_LIMIT_S)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, "", f"there is no {words[0]} here")
    except subprocess.TimeoutExpired:
        said = f"{words[0]}: no answer within {COMMAND_LIMIT_S} s"
        return subprocess.CompletedProcess(words, 124, "", said)


def look_at_run(config: RunConfig, run: Run = command) -> list[Finding]:
    found = [*run_folder(config, run), wandb(config)]
    if isinstance(config, RlConfig):
        found.append(sandbox(config))
    return [*found, scheduler(config, run)]


def run_folder(config: RunConfig, run: Run) -> list[Finding]:
    """Writes a canary where the run will be and reads it again, from the nodes too where there are
    any. Leaves nothing behind."""
    path = Path(config.run_dir).expanduser().resolve()
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    word = secrets.token_hex(8)
    canary = there / f".canary-{word}"
    try:
        canary.with_suffix(".tmp").write_text(word)
        canary.with_suffix(".tmp").replace(canary)
    except OSError as error:
        remedy = "choose a run_dir that you may write to"
        return [problem("run folder", f"{there}: {error.strerror}", remedy)]
    try:
        found = [disk(there, shutil.disk_usage(there))]
        if config.cluster.kind == "slurm":
            found.append(seen_from_nodes(canary, word, file_system(there), config, run))
        return found
    finally:
        canary.unlink()


def disk(folder: Path, usage: tuple[int, int, int]) -> Finding:
    total, _, free = usage
    text = f"{folder}: writable, {free / GIB:,.1f} GiB free ({free / total:.0%})"
    if free < FREE_DISK * total:
        return warning("run folder", text, "free some space, or choose another run_dir")
    return ok("run folder", text)


def seen_from_nodes(canary: Path, word: str, kind: str, config: RunConfig, run: Run) -> Finding:
    """Whether the nodes read what was written here, if some are idle now."""
    assert config.cluster.kind == "slurm"
    partition = [f"--partition={config.cluster.partition}"] if config.cluster.partition else []
    account = [f"--account={config.cluster.account}"] if config.cluster.account else []
    nodes = [f"--nodes={config.cluster.nodes}", "--ntasks-per-node=1"]
    waits = [f"--immediate={NODES_LIMIT_S}", "--time=1"]
    done = run(["srun", *partition, *account, *nodes, *waits, "cat", str(canary)])
    if done.stdout.count(word) == config.cluster.nodes:
        return ok(
            "shared folder", f"{config.cluster.nodes} nodes read what was written here ({kind})"
        )
    if "No such file" in done.stderr:
        return problem(
            "shared folder",
            f"a node does not see {canary.parent} ({kind})",
            "choose a run_dir on the file system that all nodes share",
        )
    shared = kind.startswith(SHARED_KINDS)
    return warning(
        "shared folder",
        f"no nodes were free to look from; {kind} is {'usually' if shared else 'seldom'} shared",
        "ask again later, or make sure that run_dir is the same folder on all nodes",
    )


def file_system(folder: Path, mounts: str = "/proc/mounts") -> str:
    """Kind of the file system that holds the folder."""
    lines = [line.split()[1:3] for line in Path(mounts).read_text().splitlines()]
    holding = [(point, kind) for point, kind in lines if folder.is_relative_to(point)]
    return max(holding, key=lambda pair: len(pair[0]))[1]


def sandbox(config: RlConfig) -> Finding:
    if config.reward.code.backend == "remote":
        return ok("sandbox", f"remote, at {config.reward.code.url}; asked when a run starts")
    try:
        tier = choose_machine(config.reward.code.sandbox).tier
    except UserError as error:
        return problem("sandbox", str(error), "see the end of that line")
    if tier == "none":
        remedy = "reward.code.sandbox.tier=auto, unless nothing can be lost here"
        return warning("sandbox", "programs of the model run WITHOUT protection", remedy)
    return ok("sandbox", f"tier {tier}")


def wandb(config: RunConfig) -> Finding:
    if not config.tracking.wandb:
        return ok("W&B", "off (tracking.wandb=false)")
    try:
        mode, why = wandb_mode()
    except UserError as error:
        return problem("W&B", str(error), "unset WANDB_MODE")
    if why == "no API key":
        return warning(
            "W&B",
            "no API key: the run is kept offline in run_dir/wandb",
            "wandb login, or export WANDB_API_KEY; later: wandb sync",
        )
    return ok("W&B", f"{mode}, by {why}; project {config.tracking.wandb_project}")


def scheduler(config: RunConfig, run: Run) -> Finding:
    if config.cluster.kind == "slurm":
        return _slurm(config, run)
    if config.cluster.kind == "kubernetes":
        return _kubernetes(config.cluster, run)
    return ok("scheduler", "none: everything runs on this machine")


def _slurm(config: RunConfig, run: Run) -> Finding:
    version = run(["sbatch", "--version"])
    if version.returncode != 0:
        remedy = "run this where SLURM's commands are, such as a login node"
        return problem("scheduler", _last_line(version), remedy)
    if "slurm" not in BACKENDS:
        return ok("scheduler", version.stdout.strip())
    with tempfile.NamedTemporaryFile("w", suffix=".sbatch") as script:
        script.write(backend_of("slurm").render(config))
        script.flush()
        tried = run(["sbatch", "--test-only", script.name])
    if tried.returncode != 0:
        return problem(
            "scheduler",
            f"sbatch --test-only: {_last_line(tried)}",
            "sinfo shows partitions and nodes; set cluster.partition, account, nodes, time_limit",
        )
    return ok("scheduler", f"{version.stdout.strip()}; {_last_line(tried)}")


def _kubernetes(cluster: KubernetesCluster, run: Run) -> Finding:
    options = {"context": cluster.context, "namespace": cluster.namespace}
    kubectl = ["kubectl", *(f"--{name}={value}" for name, value in options.items() if value)]
    rights = (("create", "rayjobs.ray.io"), ("get", "pods", "--subresource=log"))
    for words in (
        *(("auth", "can-i", *right) for right in rights),
        ("get", "pvc", cluster.runs_claim),
    ):
        asked = run([*kubectl, *words])
        if asked.returncode != 0:
            return problem(
                "scheduler",
                f"kubectl {' '.join(words)}: {_last_line(asked)}",
                "look at cluster.context, namespace and runs_claim; rights are given "
                "in the namespace, and rayjobs need the KubeRay operator",
            )
    return ok("scheduler", f"kubectl: RayJobs may be created; claim {cluster.runs_claim} is there")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
