"""A run on Kubernetes from the user's side, with the real kubectl and the real engines: submit,
look at it, lose the pods, stop, resume, to the end."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launch.cli import main
from tests.faults.harness import TINY, leftover_processes
from tests.kubernetes.api import Server
from tests.kubernetes.operator import NAMESPACE, Operator, operator
from tests.unit.launch.secrets import SECRETS, files_with

LIMIT_S = 600

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def pods(server: Server, tmp_path: Path) -> Iterator[Operator]:
    with operator(server, tmp_path) as running:
        yield running


def in_pods(run_dir: Path, claim: Path) -> list[str]:
    """Settings of a run on the stand-in, whose claim is a folder here."""
    return [
        f"run_dir={run_dir}",
        *("cluster=kubernetes", "cluster.image=r1:1", "cluster.runs_claim=runs"),
        *(f"cluster.runs_path={claim}", "cluster.threads=2"),
    ]


def status_of(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["status", str(run_dir), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def wait_for(
    run_dir: Path,
    capsys: pytest.CaptureFixture[str],
    what: Callable[[dict[str, Any]], bool],
) -> dict[str, Any]:
    """`launch status`, until what it says is wanted."""
    deadline = time.monotonic() + LIMIT_S
    while not what(status := status_of(run_dir, capsys)):
        assert time.monotonic() < deadline, status
        time.sleep(1.0)
    return status


def test_a_run_is_submitted_evicted_stopped_and_resumed(
    server: Server,
    pods: Operator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claim, run_dir = tmp_path / "claim", tmp_path / "runs" / "nano"
    claim.mkdir()
    words = [
        *TINY,
        *in_pods(run_dir, claim),
        f"model.cache_dir={tmp_path}/cache",
        "cluster.secrets=[keys]",
    ]
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    pods.secrets = {"keys": SECRETS}
    assert main(["run", "r1_zero", *words]) == 0
    said = capsys.readouterr().out
    assert "submitted RayJob nano to namespace training" in said
    assert f"launch logs -f {run_dir}" in said

    running = wait_for(run_dir, capsys, lambda status: status["step"] >= 1)
    assert (running["state"], running["phase"], running["steps"]) == ("running", "training", 4)
    assert main(["run", "r1_zero", *words]) == 2
    assert "is in use by kubernetes job nano" in capsys.readouterr().err

    assert main(["logs", str(run_dir)]) == 0
    assert re.search(r"step +1/4 ", capsys.readouterr().out)
    assert main(["logs", str(run_dir), "--role", "sampler-0"]) == 0
    assert capsys.readouterr().out

    pods.delete_pods("nano")
    again = wait_for(run_dir, capsys, lambda status: len(status["lives"]) == 2)
    assert again["lives"][0]["exit_code"] == 85
    assert "1 attempts failed" in again["detail"]

    assert main(["stop", str(run_dir)]) == 0
    stopped = wait_for(run_dir, capsys, lambda status: status["state"] == "ended")
    assert stopped["detail"] == "Complete, job SUCCEEDED, 1 attempts failed"
    assert stopped["phase"] == "stopped"
    assert stopped["step"] < 4

    before = server.store.get("rayjobs", NAMESPACE, "nano")["metadata"]["uid"]
    assert main(["resume", str(run_dir)]) == 0
    assert server.store.get("rayjobs", NAMESPACE, "nano")["metadata"]["uid"] != before
    capsys.readouterr()
    wait_for(run_dir, capsys, lambda status: status["state"] == "running")
    assert main(["logs", "-f", str(run_dir)]) == 0
    assert re.search(r"step +4/4 ", capsys.readouterr().out)
    done = wait_for(run_dir, capsys, lambda status: status["state"] == "ended")
    assert (done["phase"], done["step"]) == ("finished", 4)
    lines = (claim / "nano" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    assert list((claim / "nano" / "final").glob("*.safetensors"))
    assert (claim / "nano" / "report.html").is_file()
    assert files_with(tmp_path, SECRETS.values()) == []
    assert not leftover_processes(claim / "nano")


def test_a_pipeline_is_one_job_whose_stages_go_on_after_an_eviction(
    server: Server,
    pods: Operator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The eviction's break goes to the stage, and the next attempt goes on with it."""
    claim, run_dir = tmp_path / "claim", tmp_path / "runs" / "r1"
    claim.mkdir()
    of_stage = [f"stages.zero.{word}" for word in TINY if not word.startswith("model=")]
    words = [
        "recipe.until=zero",
        *of_stage,
        *in_pods(run_dir, claim),
        f"model.cache_dir={tmp_path}/cache",
    ]
    assert main(["run", "r1", *words]) == 0
    zero = claim / "r1" / "stages" / "zero"
    metrics = zero / "metrics.jsonl"
    running = wait_for(run_dir, capsys, lambda status: metrics.is_file())
    assert (running["phase"], running["step"], running["steps"]) == ("zero", 0, 1)
    (stage,) = running["stages"]
    assert (stage["name"], stage["state"]) == ("zero", "begun")
    assert stage["phase"] in ("starting", "training")
    assert main(["logs", str(run_dir), "--role", "sampler-0"]) == 0
    assert capsys.readouterr().out

    pods.delete_pods("r1")
    lives = zero / "run.json"
    wait_for(run_dir, capsys, lambda _: len(json.loads(lives.read_text())) == 2)
    assert json.loads(lives.read_text())[0]["exit_code"] == 85
    done = wait_for(run_dir, capsys, lambda status: status["state"] == "ended")
    assert done["detail"] == "Complete, job SUCCEEDED, 1 attempts failed"
    assert (done["phase"], done["step"]) == ("finished", 1)
    (stage,) = done["stages"]
    assert (stage["state"], stage["phase"]) == ("made", "finished") and stage["seconds"] > 0
    lines = metrics.read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    assert list((zero / "final").glob("*.safetensors"))
    assert not leftover_processes(claim / "r1")
