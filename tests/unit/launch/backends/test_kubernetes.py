"""What a RayJob's status means, and what is said when kubectl cannot help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from launch.backends.base import Job
from launch.backends.kubectl import Kubectl, KubectlFailed
from launch.backends.kubernetes import KubernetesBackend, _of, _state


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, ("pending", "New")),
        ({"jobDeploymentStatus": "Suspended"}, ("pending", "Suspended")),
        ({"jobDeploymentStatus": "Initializing"}, ("pending", "Initializing")),
        (
            {"jobDeploymentStatus": "Running", "jobStatus": "PENDING"},
            ("pending", "Running, job PENDING"),
        ),
        (
            {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING", "failed": 2},
            ("running", "Running, job RUNNING, 2 attempts failed"),
        ),
        (
            {"jobDeploymentStatus": "Retrying", "jobStatus": "FAILED", "failed": 1, "message": "x"},
            ("pending", "Retrying, job FAILED, 1 attempts failed"),
        ),
        (
            {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED", "failed": 0},
            ("ended", "Complete, job SUCCEEDED"),
        ),
        (
            {"jobDeploymentStatus": "ValidationFailed", "message": "bad name\nmore"},
            ("ended", "ValidationFailed, bad name"),
        ),
    ],
)
def test_the_status_of_a_rayjob_in_plain_words(
    status: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert _state(status) == expected


def test_a_context_may_have_slashes_in_its_name() -> None:
    where = "arn:aws:eks:eu:1:cluster/prod/training"
    job = Job("kubernetes", "nano", where, 0.0)
    assert _of(job) == Kubectl("arn:aws:eks:eu:1:cluster/prod", "training")
    assert _of(Job("kubernetes", "nano", "/training", 0.0)) == Kubectl("", "training")


def fake_kubectl(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "kubectl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_without_kubectl_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"^kubectl: not found; install it and let it know"):
        Kubectl("", "").run("version")


def test_words_of_pods_come_after_the_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_kubectl(tmp_path, 'echo "$@"', monkeypatch)
    assert Kubectl("c", "n").run("get", "pods") == "--context=c --namespace=n get pods\n"
    assert list(Kubectl("", "n").lines("logs", "p")) == ["--namespace=n logs p\n"]


def test_a_refusal_is_its_last_line_and_unknown_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_kubectl(tmp_path, "echo warning >&2; echo error: Unauthorized >&2; exit 1", monkeypatch)
    with pytest.raises(KubectlFailed, match=r"^kubectl get: error: Unauthorized$"):
        Kubectl("", "").read("rayjob", "nano")
    state = KubernetesBackend().poll(Job("kubernetes", "nano", "/training", 0.0, "uid"))
    assert (state.state, state.detail) == ("unknown", "kubectl get: error: Unauthorized")
