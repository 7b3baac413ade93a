"""The sbatch script to the byte, and what SLURM's words mean. The real SLURM is in
tests/integration/test_slurm.py."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from configs.compose import load_config
from configs.errors import UserError
from launch.backends.base import Job
from launch.backends.slurm import SlurmBackend, from_sacct, from_squeue, render

GOLDEN = Path(__file__).parent / "job.sbatch"
"""Written by `python -m tests.unit.launch.backends.test_slurm`; read the difference."""
SITE = (
    "cluster=slurm_gpu",
    "cluster.nodes=2",
    "cluster.partition=gpu",
    "cluster.account=nlp",
    "cluster.time_limit=24:00:00",
    "cluster.max_requeues=7",
    "cluster.sbatch=['--qos=long']",
    "cluster.srun=['--container-image=/images/r1 foundry.sqsh']",
    "cluster.container=apptainer exec --nv r1.sif",
    "learner.ranks=16",
    "rollout.samplers=8",
    "rollout.tensor_parallel=2",
)
JOB = Job("slurm", "7", "slurm", 0.0)


def script() -> str:
    return render(load_config(list(SITE)), Path("/runs/my run"), "/opt/venv/bin/python")


def test_the_script_is_the_same_to_the_byte() -> None:
    assert script() == GOLDEN.read_text()


def test_the_script_is_bash(tmp_path: Path) -> None:
    for name, words in {"site": SITE, "plain": ("cluster=slurm",)}.items():
        path = tmp_path / name
        path.write_text(render(load_config(list(words)), tmp_path, "python"))
        done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_whole_nodes_or_some_cores() -> None:
    def lines(*words: str) -> list[str]:
        text = render(load_config(["cluster=slurm", *words]), Path("/runs/x"), "python")
        return [line for line in text.splitlines() if line.startswith("#SBATCH")]

    assert {"#SBATCH --exclusive", "#SBATCH --mem=0"} <= set(lines())
    shared = lines("cluster.cpus_per_node=4")
    assert "#SBATCH --cpus-per-task=4" in shared and "#SBATCH --exclusive" not in shared
    assert not [line for line in lines() if "gpu" in line or "partition" in line]


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "site.sbatch"
    path.write_text("{{ options[0] }} {{ run_dir | quote }} {{ cluster.nodes }} {{ workers }}")
    config = load_config(["cluster=slurm", f"cluster.template={path}"])
    assert render(config, Path("/runs/a b"), "python") == "--job-name=r1-a-b '/runs/a b' 1 5"
    path.write_text("{{ partion }}")
    with pytest.raises(UserError, match=r"cluster\.template=.*'partion' is undefined"):
        render(config, Path("/runs/x"), "python")
    path.unlink()
    with pytest.raises(UserError, match=r"cluster\.template=.*No such file"):
        render(config, Path("/runs/x"), "python")


@pytest.mark.parametrize(
    ("line", "state", "detail"),
    [
        ("RUNNING|None|n[1-2]|3:12", "running", "RUNNING on n[1-2] for 3:12"),
        ("COMPLETING|None|n1|0:10", "running", "COMPLETING on n1 for 0:10"),
        ("PENDING|Resources||0:00", "pending", "PENDING: Resources"),
        ("PENDING|BeginTime||0:00", "pending", "PENDING: BeginTime"),
        ("COMPLETED|None|n1|0:10", "ended", "COMPLETED"),
        ("FAILED|NonZeroExitCode|n1|0:10", "ended", "FAILED: NonZeroExitCode"),
        ("TIMEOUT|TimeLimit|n1|1:00:10", "ended", "TIMEOUT: TimeLimit"),
        ("NODE_FAIL|None|n1|0:10", "ended", "NODE_FAIL"),
    ],
)
def test_what_squeue_says(line: str, state: str, detail: str) -> None:
    found = from_squeue(line + "\n")
    assert (found.state, found.detail, found.source) == (state, detail, "squeue")


def test_what_sacct_says_about_the_last_life() -> None:
    found = from_sacct("REQUEUED|0:0\nCANCELLED by 0|0:15\n")
    assert (found.state, found.detail) == ("ended", "CANCELLED by 0, exit code 0:15")
    assert from_sacct("PENDING|0:0\n").state == "pending"
    assert from_sacct("").detail == "SLURM no longer knows it"


def answers(
    **outputs: tuple[int, str, str],
) -> Callable[[Sequence[str]], subprocess.CompletedProcess[str]]:
    """SLURM's programs with fixed answers: exit code, standard output and error."""

    def run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if words[0] not in outputs:
            raise UserError(f"no {words[0]}")
        return subprocess.CompletedProcess(words, *outputs[words[0]])

    return run


def test_whom_to_ask_when_squeue_has_forgotten_the_job() -> None:
    forgotten = (1, "", "slurm_load_jobs error: Invalid job id specified")
    poll = SlurmBackend(answers(squeue=forgotten, sacct=(0, "COMPLETED|0:0", ""))).poll(JOB)
    assert (poll.state, poll.source) == ("ended", "sacct")
    poll = SlurmBackend(answers(squeue=forgotten)).poll(JOB)
    assert (poll.state, poll.detail) == ("ended", "SLURM no longer knows it")
    down = (1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    poll = SlurmBackend(answers(squeue=down)).poll(JOB)
    assert poll.state == "unknown" and "controller" in poll.detail and not poll.alive


def test_what_sbatch_refuses_is_one_line_and_leaves_no_job(tmp_path: Path) -> None:
    refusal = "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job failed"
    backend = SlurmBackend(answers(sbatch=(1, "", refusal)))
    config = load_config(["cluster=slurm", "cluster.partition=nope", f"run_dir={tmp_path}/run"])
    with pytest.raises(UserError, match=r"^sbatch refuses .*job\.sbatch: .*: nope; .* failed$"):
        backend.submit(config)
    assert not (tmp_path / "run" / "job.json").exists()


def test_the_log_of_a_stage_is_its_driver_s(tmp_path: Path) -> None:
    """The console is that of the whole job, in the pipeline's folder."""
    stage = tmp_path / "stages" / "zero"
    for run_dir, log in ((tmp_path, "job-latest/console.log"), (stage, "latest/driver.log")):
        (run_dir / "logs" / log).parent.mkdir(parents=True)
        (run_dir / "logs" / log).write_text(f"{log}\n")
    (tmp_path / "job.sbatch").touch()
    backend = SlurmBackend(answers())
    assert [*backend.logs(tmp_path, JOB, "", follow=False)] == ["job-latest/console.log\n"]
    assert [*backend.logs(stage, JOB, "", follow=False)] == ["latest/driver.log\n"]


def test_a_secret_in_the_environment_is_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "planted-key-0123456789")
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    backend = SlurmBackend(answers(sbatch=(0, "7;cluster\n", "")))
    assert backend.submit(load_config(["cluster=slurm", f"run_dir={tmp_path}/run"])) == 0
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert {"job.sbatch", "job.json", "config.yaml", "ray_token"} <= {path.name for path in files}
    assert not [path for path in files if b"planted" in path.read_bytes()]
    assert (tmp_path / "run" / "ray_token").stat().st_mode & 0o777 == 0o600


if __name__ == "__main__":
    GOLDEN.write_text(script())
