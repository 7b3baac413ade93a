"""The stand-in for an API server answers the real kubectl as one would expect of the real one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kubernetes.api import Server

Kubectl = Callable[..., subprocess.CompletedProcess[str]]

POD = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "head"}, "spec": {}}


def job(**spec: Any) -> str:
    container = {"name": "ray-head", "image": "r1:1"}
    head = {"template": {"spec": {"containers": [container]}}}
    cluster = {"headGroupSpec": head}
    return json.dumps(
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "metadata": {"name": "one"},
            "spec": {"rayClusterSpec": cluster, **spec},
        }
    )


def test_a_job_is_made_read_changed_and_deleted(kubectl: Kubectl, server: Server) -> None:
    made = json.loads(kubectl("create", "-f", "-", "-o", "json", input=job()).stdout)
    assert made["metadata"]["uid"] and made["metadata"]["namespace"] == "training"
    kubectl("patch", "rayjob", "one", "--type=merge", "-p", '{"spec": {"backoffLimit": 2}}')
    server.store.patch(
        "rayjobs", "training", "one", {"status": {"jobStatus": "RUNNING"}}, status=True
    )
    read = json.loads(kubectl("get", "rayjob", "one", "-o", "json").stdout)
    assert read["spec"]["backoffLimit"] == 2 and read["status"] == {"jobStatus": "RUNNING"}
    versions = [int(each["metadata"]["resourceVersion"]) for each in (made, read)]
    assert versions[0] < versions[1]
    assert "NotFound" in kubectl("get", "rayjob", "two", "-o", "json").stderr
    assert "AlreadyExists" in kubectl("create", "-f", "-", input=job()).stderr
    kubectl("delete", "rayjob", "one")
    assert json.loads(kubectl("get", "rayjobs", "-o", "json").stdout)["items"] == []


def test_what_the_schema_does_not_allow_is_refused(kubectl: Kubectl) -> None:
    for wrong in ({"entrypoimt": "x"}, {"backoffLimit": "3"}, {"deletionStrategy": {}}):
        done = kubectl("create", "-f", "-", input=job(**wrong))
        assert done.returncode == 1 and next(iter(wrong)) in done.stderr, done.stderr
    condition = {"jobStatus": "FAILED", "jobDeploymentStatus": "Failed"}
    rules = [{"policy": "DeleteCluster", "condition": condition}]
    done = kubectl("create", "-f", "-", input=job(deletionStrategy={"deletionRules": rules}))
    assert "cannot be used together within the same deletion condition" in done.stderr


def test_a_watch_tells_changes_as_they_come(kubectl: Kubectl, server: Server) -> None:
    kubectl("create", "-f", "-", input=job())
    deleted = kubectl("delete", "rayjob", "one", "--wait", "--timeout=10s")
    assert deleted.returncode == 0, deleted.stderr
    kinds = [event["type"] for event in server.store.watch("rayjobs", "training", 0, 0.5)]
    assert kinds == ["ADDED", "DELETED"]


def test_logs_and_commands_of_a_pod(kubectl: Kubectl, server: Server, tmp_path: Path) -> None:
    containers = [{"name": "ray-head", "image": "r1:1"}]
    pod = POD | {"spec": {"containers": containers}, "status": {"phase": "Succeeded"}}
    server.store.create("pods", "training", pod)
    log = tmp_path / "log"
    log.write_text("first\nsecond\n")
    server.logs["head", "ray-head"] = log, lambda: True
    assert kubectl("logs", "head", "-c", "ray-head").stdout == "first\nsecond\n"
    assert kubectl("logs", "-f", "head", "-c", "ray-head").stdout == "first\nsecond\n"
    server.store.patch("pods", "training", "head", {"status": {"phase": "Running"}}, status=True)
    said = kubectl("exec", "head", "-c", "ray-head", "--", "bash", "-c", "echo out; exit 7")
    assert (said.stdout, said.returncode) == ("out\n", 7), said.stderr
    long = kubectl("exec", "head", "-c", "ray-head", "--", "seq", "30000")
    assert long.stdout.splitlines()[-1] == "30000" and long.returncode == 0
