"""A run on Kubernetes from the user's side: the real kubectl against the stand-in of a cluster, and
a driver without engines (test_runs.py has them)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launch.cli import main
from tests.faults.harness import leftover_processes
from tests.kubernetes.api import Server
from tests.kubernetes.operator import NAMESPACE, Operator, operator
from tests.unit.launch.secrets import SECRETS, files_with

LIMIT_S = 60


@pytest.fixture
def pods(server: Server, tmp_path: Path) -> Iterator[Operator]:
    with operator(server, tmp_path, "tests.kubernetes.light_driver") as running:
        yield running


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "claim").mkdir()
    return [
        "run",
        "r1_zero",
        "cluster=kubernetes",
        "cluster.image=r1:1",
        "cluster.runs_claim=runs",
        f"cluster.runs_path={tmp_path}/claim",
        f"run_dir={tmp_path}/runs/nano",
    ]


Look = Callable[[], dict[str, Any]]


@pytest.fixture
def look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Look:
    """What `launch status` says."""

    def status() -> dict[str, Any]:
        capsys.readouterr()
        assert main(["status", f"{tmp_path}/runs/nano", "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return status


def wait_for(look: Look, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + LIMIT_S
    while not what(status := look()):
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return status


def ended(status: dict[str, Any]) -> bool:
    return status["state"] == "ended"


def test_submit_status_logs_eviction_stop_and_resume(
    server: Server,
    pods: Operator,
    words: list[str],
    look: Look,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_dir = str(tmp_path / "runs" / "nano")
    assert main([*words, "recipe.steps=1000"]) == 0
    said = capsys.readouterr().out
    assert "submitted RayJob nano to namespace training" in said
    assert f"launch logs -f {run_dir}" in said
    running = wait_for(look, lambda status: status["step"] >= 2)
    assert (running["state"], running["phase"], running["steps"]) == ("running", "training", 1000)
    assert running["detail"] == "Running, job RUNNING"
    assert main(words) == 2
    assert "is in use by kubernetes job nano" in capsys.readouterr().err
    assert main(["logs", run_dir]) == 0
    assert "step 1\nstep 2\n" in capsys.readouterr().out
    assert main(["logs", run_dir, "--role", "sampler-0"]) == 0
    assert capsys.readouterr().out == "sampled\n"

    pods.delete_pods("nano")  # its preStop hook makes the driver save and end with 85
    again = wait_for(look, lambda status: len(status["lives"]) == 2)
    assert again["lives"][0]["exit_code"] == 85
    assert again["detail"].endswith("1 attempts failed")

    assert main(["stop", run_dir]) == 0
    stopped = wait_for(look, ended)
    assert stopped["detail"] == "Complete, job SUCCEEDED, 1 attempts failed"
    assert (stopped["phase"], stopped["lives"][1]["exit_code"]) == ("stopped", 0)
    assert stopped["step"] < 1000
    assert main(["stop", run_dir]) == 2
    assert "is not running (Complete" in capsys.readouterr().err

    before = server.store.get("rayjobs", NAMESPACE, "nano")["metadata"]["uid"]
    assert main([*words, f"recipe.steps={stopped['step'] + 3}"]) == 0
    assert server.store.get("rayjobs", NAMESPACE, "nano")["metadata"]["uid"] != before
    capsys.readouterr()
    assert main(["logs", "-f", run_dir]) == 0
    assert capsys.readouterr().out.endswith(f"step {stopped['step'] + 3}\nthe end\n")
    done = wait_for(look, ended)
    assert (done["phase"], done["step"]) == ("finished", stopped["step"] + 3)
    assert not leftover_processes(tmp_path / "claim" / "nano")


def test_a_cancelled_run_is_gone_at_once_and_resume_continues_it(
    pods: Operator, words: list[str], look: Look, tmp_path: Path
) -> None:
    run_dir = str(tmp_path / "runs" / "nano")
    assert main([*words, "recipe.steps=1000"]) == 0
    reached = wait_for(look, lambda status: status["step"] >= 1)["step"]
    assert main(["cancel", run_dir]) == 0
    assert look()["detail"] == "the RayJob has been deleted"
    assert main(["resume", run_dir]) == 0
    again = wait_for(look, lambda status: len(status["lives"]) == 2 and status["step"] > reached)
    assert again["lives"][0]["exit_code"] == 85 and again["lives"][1].get("ended") is None
    assert main(["stop", run_dir]) == 0
    wait_for(look, ended)


def test_a_run_that_waits_for_pods_is_stopped_by_taking_it_away(
    server: Server, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = str(tmp_path / "runs" / "nano")
    assert main(words) == 0  # no operator looks after it
    capsys.readouterr()
    assert main(["stop", run_dir]) == 0
    assert capsys.readouterr().out == "it was waiting for pods; its RayJob is deleted\n"
    assert server.store.find("rayjobs", NAMESPACE) == []


def test_secrets_reach_the_driver_and_no_file(
    pods: Operator, words: list[str], look: Look, tmp_path: Path, server: Server
) -> None:
    pods.secrets = {"keys": SECRETS}
    assert main([*words, "recipe.steps=2", "cluster.secrets=[keys]"]) == 0
    assert wait_for(look, ended)["phase"] == "finished"
    (log,) = tmp_path.glob("*-head.log")
    assert "keys: ['HF_TOKEN', 'WANDB_API_KEY']" in log.read_text()
    job = server.store.get("rayjobs", NAMESPACE, "nano")
    assert json.dumps(job).count('"secretRef": {"name": "keys"}') == 2
    assert files_with(tmp_path, SECRETS.values()) == []
    assert not any(secret in json.dumps(job) for secret in SECRETS.values())


def test_what_fails_is_tried_again_as_often_as_set_and_then_reported(
    pods: Operator, words: list[str], look: Look, tmp_path: Path
) -> None:
    # A file in the place of the run folder: the driver refuses it, exit code 2.
    (tmp_path / "claim" / "nano").write_text("")
    assert main([*words, "cluster.retries=1"]) == 0
    failed = wait_for(look, ended)
    assert failed["detail"] == (
        "Failed, job FAILED, 2 attempts failed, Job entrypoint command failed with exit code 2"
    )


def test_a_rayjob_of_somebody_else_is_not_touched(
    server: Server, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"metadata": {"name": "nano"}, "apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {}}
    theirs = server.store.create("rayjobs", NAMESPACE, body)
    assert main(words) == 2
    assert "namespace training has a RayJob nano that was not started" in capsys.readouterr().err
    assert server.store.get("rayjobs", NAMESPACE, "nano") == theirs


def test_a_cluster_that_does_not_answer_is_one_line(
    server: Server, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.shutdown()
    server.server_close()
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: kubectl get: ") and "refused" in line
