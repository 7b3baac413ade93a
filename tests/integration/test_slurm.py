"""`launch` on a real SLURM with two nodes: whatever ends a life of the run, its weights in the end
are those of an undisturbed run on one machine, bit for bit, and nothing stays on the nodes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import SMALL_PIPELINE, TINY, final_sha256, leftover_processes
from tests.integration.slurm_cluster import SlurmCluster, running_cluster, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slurm, pytest.mark.timeout(1800)]

STEPS = "recipe.steps=8"
FINE_TUNING = (
    *("sft", "data=nano_solutions", "model=nano_v3", "model.pretrain_steps=30"),
    *("data.heldout_rows=8", "data.train_problems=64", "recipe.batch_size=8", "recipe.epochs=2"),
    *("learner.row_tokens=256", "learner.ranks=1"),
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class Runs:
    """`launch` as a user of the cluster types it."""

    def __init__(self, cluster: SlurmCluster, environment: dict[str, str] | None = None) -> None:
        self._environment = cluster.environment | (environment or {})

    def launch(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "launch.cli", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == code, f"launch {' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def status(self, run_dir: Path) -> dict[str, Any]:
        return json.loads(self.launch("status", str(run_dir), "--json"))

    def explain(self, run_dir: Path) -> str:
        """What a person would look at."""
        texts = [
            self.launch("status", str(run_dir)),
            self.launch("logs", "--role=batch", str(run_dir)),
        ]
        texts += [p.read_text()[-1500:] for p in (run_dir / "logs" / "job-latest").glob("*.log")]
        return "\n".join(texts)

    def wait_for_life(self, run_dir: Path, attempt: int) -> None:
        """Until this life of the run has all its workers."""
        ready = run_dir / "logs" / f"attempt-{attempt}" / "processes.json"
        wait_until(f"life {attempt}", ready.exists, lambda: self.explain(run_dir))

    def wait_for_end(self, run_dir: Path, attempt: int) -> int | None:
        """Exit code of a life, or None when it was killed and the next one has begun."""
        path = run_dir / "run.json"

        def lives() -> list[dict[str, Any]]:
            return json.loads(path.read_text()) if path.exists() else []

        def over() -> bool:
            return len(lives()) > attempt or (
                len(lives()) == attempt and "exit_code" in lives()[attempt - 1]
            )

        wait_until(f"end of life {attempt}", over, lambda: self.explain(run_dir))
        return lives()[attempt - 1].get("exit_code")

    def wait_for_job(self, run_dir: Path) -> str:
        """What SLURM says about the job when it has ended."""
        wait_until(
            "end of the job",
            lambda: self.status(run_dir)["state"] == "ended",
            lambda: self.explain(run_dir),
        )
        return self.status(run_dir)["detail"]


def nothing_is_left(run_dir: Path) -> bool:
    """No process of the run, and none of its Ray."""
    wait_until("end of all processes", lambda: not leftover_processes(run_dir), lambda: "")
    return not leftover_processes(Path("/tmp/ray/r1-"))


def test_a_run_survives_everything_that_slurm_does_to_it(
    cluster: SlurmCluster, tmp_path: Path, cache_dir: Path
) -> None:
    runs, rng, run_dir = Runs(cluster), random.Random(0), tmp_path / "run"
    tiny = ["r1_zero", *TINY, STEPS, f"model.cache_dir={cache_dir}"]
    runs.launch("run", *tiny, f"run_dir={tmp_path / 'whole'}")
    said = runs.launch(
        *("run", *tiny, f"run_dir={run_dir}"),
        *("cluster=slurm", "cluster.nodes=2", "cluster.stop_before_s=360"),
    )
    for word in ("status", "logs -f", "stop", "cancel", "resume"):
        assert f"launch {word} {run_dir}" in said
    job = runs.status(run_dir)["job"]["id"]

    # 1: an operator queues the job again.
    runs.wait_for_life(run_dir, 1)
    time.sleep(rng.uniform(0.0, 3.0))
    cluster.command("scontrol", "requeue", job)

    # 2: a partition of higher priority takes a node.
    runs.wait_for_life(run_dir, 2)
    time.sleep(rng.uniform(0.0, 3.0))
    cluster.command(
        *("sbatch", "-p", "urgent", "-w", "n2", "--exclusive", "--wrap=sleep 3", "-o/dev/null")
    )

    # 3: the time limit comes near. SLURM looks every half minute, so this is done at the beginning.
    wait_until(
        "life 3",
        lambda: (run_dir / "logs" / "attempt-3").exists(),
        lambda: runs.explain(run_dir),
    )
    minutes = -(-(cluster.elapsed_s(job) + 240) // 60)
    cluster.command("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}")
    assert runs.wait_for_end(run_dir, 3) == 85
    cluster.command("scontrol", "update", f"JobId={job}", "TimeLimit=UNLIMITED")

    # 4: a node loses its power. What is on it is learnt from the sampler that does not answer.
    runs.wait_for_life(run_dir, 4)
    time.sleep(rng.uniform(0.0, 3.0))
    cluster.kill_node("n2")
    assert runs.wait_for_end(run_dir, 4) == 86
    assert cluster.script("start").returncode == 0

    # 5: the user stops it, and goes on later.
    runs.wait_for_life(run_dir, 5)
    assert "saves and ends after the step" in runs.launch("stop", str(run_dir))
    followed = runs.launch("logs", "-f", str(run_dir))
    assert "stopped after step" in followed
    assert runs.wait_for_job(run_dir) == "COMPLETED"
    status = runs.status(run_dir)
    assert (status["phase"], status["lives"][-1]["exit_code"]) == ("stopped", 0)
    assert nothing_is_left(run_dir)
    runs.launch("resume", str(run_dir))
    assert runs.wait_for_job(run_dir) == "COMPLETED"

    assert final_sha256(run_dir) == final_sha256(tmp_path / "whole")
    assert [life.get("exit_code") for life in runs.status(run_dir)["lives"]][2:] == [85, 86, 0, 0]
    hosts = {life["host"] for life in runs.status(run_dir)["lives"]}
    assert hosts == {"n1"}
    assert nothing_is_left(run_dir)


def test_two_runs_share_a_node_and_a_home_with_an_old_token(
    cluster: SlurmCluster, tmp_path: Path, cache_dir: Path
) -> None:
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text("of another Ray, long ago")
    runs = Runs(cluster, {"HOME": str(home)})
    one, other = tmp_path / "one", tmp_path / "other"
    shared = ["cluster=slurm", "cluster.cpus_per_node=2", "cluster.sbatch=['--nodelist=n1']"]
    # Long enough for the first to be still there when the second is.
    tuning = [*FINE_TUNING, *shared, "recipe.epochs=20", f"model.cache_dir={cache_dir}"]
    for run_dir in (one, other):
        runs.launch("run", *tuning, f"run_dir={run_dir}")
    for run_dir in (one, other):
        runs.wait_for_life(run_dir, 1)
    assert runs.launch("ls", str(tmp_path)).count("running") == 2
    for run_dir in (one, other):
        assert runs.wait_for_job(run_dir) == "COMPLETED"
        assert [life["exit_code"] for life in runs.status(run_dir)["lives"]] == [0]
    assert final_sha256(one) == final_sha256(other)
    assert nothing_is_left(one) and nothing_is_left(other)


def test_a_run_that_is_cancelled_is_gone(
    cluster: SlurmCluster, tmp_path: Path, cache_dir: Path
) -> None:
    runs, run_dir = Runs(cluster), tmp_path / "run"
    words = [*FINE_TUNING, "cluster=slurm", f"model.cache_dir={cache_dir}"]
    # More epochs than end by themselves.
    runs.launch("run", *words, "recipe.epochs=400", f"run_dir={run_dir}")
    runs.wait_for_life(run_dir, 1)
    runs.launch("cancel", str(run_dir))
    assert runs.status(run_dir)["detail"].startswith("CANCELLED")
    assert nothing_is_left(run_dir)
    time.sleep(8)  # longer than SLURM lets a job wait that is queued again
    assert cluster.command("squeue", "-h") == ""


def test_a_pipeline_is_one_job_that_is_queued_again_stopped_and_resumed(
    cluster: SlurmCluster, tmp_path: Path, cache_dir: Path
) -> None:
    runs, run_dir = Runs(cluster), tmp_path / "r1"
    zero, student, evaluation = (
        run_dir / "stages" / name for name in ("zero", "student_rl", "evaluation")
    )
    words = [*SMALL_PIPELINE, f"model.cache_dir={cache_dir}", f"run_dir={run_dir}"]
    runs.launch("run", *words, "cluster=slurm", "cluster.nodes=2")
    job = runs.status(run_dir)["job"]["id"]

    runs.wait_for_life(zero, 1)
    assert runs.status(zero)["job"]["id"] == job
    cluster.command("scontrol", "requeue", job)
    runs.wait_for_life(zero, 2)

    runs.wait_for_life(student, 1)
    assert "saves and ends after the step" in runs.launch("stop", str(run_dir))
    assert runs.wait_for_job(run_dir) == "COMPLETED"
    assert [life.get("exit_code") for life in runs.status(student)["lives"]] == [0]
    assert runs.status(student)["phase"] == "stopped"
    assert nothing_is_left(run_dir)

    runs.launch("resume", str(run_dir))
    assert runs.wait_for_job(run_dir) == "COMPLETED"
    status = runs.status(run_dir)
    assert (status["phase"], status["step"], status["steps"]) == ("finished", 3, 3)
    assert [stage["state"] for stage in status["stages"]] == ["made"] * 3
    assert len(runs.status(zero)["lives"]) == 2
    assert {life["host"] for life in runs.status(evaluation)["lives"]} == {"n1"}
    measures = json.loads((evaluation / "measures.json").read_text())
    assert measures.keys() == {"zero", "student_rl"}
    assert (run_dir / "report.html").is_file()
    assert nothing_is_left(run_dir)
