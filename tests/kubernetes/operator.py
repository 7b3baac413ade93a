"""What KubeRay does with a RayJob, as far as `launch` can see it, with processes for pods.

The states, their order, and when another attempt follows are those of KubeRay's
rayjob_controller.go (1.7): "" -> Initializing -> Running -> Complete | Failed, and from Failed over
Retrying back to "" while fewer than backoffLimit + 1 attempts have failed. The entrypoint runs on
this machine with the environment of the head's container; its mounts are this machine's folders.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kubernetes.api import Server
from tests.kubernetes.store import Refused

HOOK_S, KILL_AFTER_S = 180.0, 20.0
NAMESPACE = "training"
DRIVER = "launch.backends.pod"
SUBMITTER = "ray-job-submitter"


class Operator(threading.Thread):
    """Looks after every RayJob until it is told to stop."""

    def __init__(self, server: Server, folder: Path, module: str) -> None:
        """module: what is run in place of the entrypoint's."""
        super().__init__(daemon=True)
        self._module = module
        self.secrets: dict[str, dict[str, str]] = {}
        """Name of a Secret -> environment variables."""
        self._server = server
        self._store = server.store
        self._folder = folder
        self._end = threading.Event()
        self._attempts: dict[str, Attempt] = {}
        """RayJob's uid -> its pods."""

    def run(self) -> None:
        while not self._end.wait(0.05):
            jobs = self._store.find("rayjobs", NAMESPACE)
            for gone in self._attempts.keys() - {job["metadata"]["uid"] for job in jobs}:
                self._attempts.pop(gone).end()
            for job in jobs:
                # The user may delete it at any moment.
                with contextlib.suppress(Refused):
                    self._reconcile(job)

    def stop(self) -> None:
        self._end.set()
        self.join()
        for attempt in self._attempts.values():
            attempt.end(gently=False)

    def delete_pods(self, name: str) -> None:
        """An eviction: the head's pod goes, by way of its preStop hook."""
        job = self._store.get("rayjobs", NAMESPACE, name)
        self._attempts[job["metadata"]["uid"]].end()

    def _reconcile(self, job: dict[str, Any]) -> None:
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        status = job.get("status", {})
        match status.get("jobDeploymentStatus", ""):
            case "":
                cluster = f"{name}-{uuid.uuid4().hex[:5]}"
                self._say(name, "Initializing", rayClusterName=cluster, jobStatus="")
            case "Initializing":
                self._attempts[uid] = Attempt(
                    self._server, self._folder, job, self._module, self.secrets
                )
                self._say(name, "Running", jobStatus="RUNNING")
            case "Running" if (code := self._attempts[uid].exit_code()) is not None:
                self._finish(job, code)
            case "Retrying":
                self._attempts.pop(uid).end()
                self._say(name, "", rayClusterName="", jobStatus="", reason="", message="")
            case _:
                pass

    def _finish(self, job: dict[str, Any], code: int) -> None:
        name, status = job["metadata"]["name"], job["status"]
        if code == 0:
            done = status.get("succeeded", 0) + 1
            self._say(name, "Complete", jobStatus="SUCCEEDED", succeeded=done)
            return
        failed = status.get("failed", 0) + 1
        # Read again: the limit may have been lowered meanwhile.
        limit = self._store.get("rayjobs", NAMESPACE, name)["spec"].get("backoffLimit", 0)
        self._say(
            name,
            "Retrying" if failed < limit + 1 else "Failed",
            jobStatus="FAILED",
            failed=failed,
            reason="AppFailed",
            message=f"Job entrypoint command failed with exit code {code}",
        )

    def _say(self, name: str, state: str, **entries: Any) -> None:
        change = {"status": {"jobDeploymentStatus": state, **entries}}
        self._store.patch("rayjobs", NAMESPACE, name, change, status=True)


class Attempt:
    """The head's pod of one RayCluster: a process for its Ray container and the driver in it."""

    def __init__(
        self,
        server: Server,
        folder: Path,
        job: dict[str, Any],
        module: str,
        secrets: dict[str, dict[str, str]],
    ) -> None:
        self._server = server
        self._secrets = secrets
        cluster = job["status"]["rayClusterName"]
        self.pod = f"{cluster}-head"
        group = job["spec"]["rayClusterSpec"]["headGroupSpec"]
        (self._container,) = group["template"]["spec"]["containers"]
        submitter = {"name": SUBMITTER, "image": self._container["image"]}
        labels = {"ray.io/cluster": cluster, "ray.io/node-type": "head"}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.pod, "labels": labels},
            "spec": {"containers": [self._container, submitter]},
            "status": {"phase": "Running"},
        }
        server.store.create("pods", NAMESPACE, body)
        log = folder / f"{self.pod}.log"
        server.logs[self.pod, SUBMITTER] = log, lambda: self.exit_code() is not None
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                ["bash", "-c", job["spec"]["entrypoint"].replace(DRIVER, module)],
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=self._environment(),
                start_new_session=True,
            )

    def exit_code(self) -> int | None:
        return self._process.poll()

    def end(self, *, gently: bool = True) -> None:
        """preStop where there is time for it, SIGTERM to what runs in the container, SIGKILL."""
        if gently and self._process.poll() is None:
            hook = self._container["lifecycle"]["preStop"]["exec"]["command"]
            subprocess.run(hook, timeout=HOOK_S, check=True, env=self._environment())
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(KILL_AFTER_S)
        with contextlib.suppress(Refused):
            self._server.store.delete("pods", NAMESPACE, self.pod)

    def _environment(self) -> dict[str, str]:
        python = Path(sys.executable).parent
        given = {each["name"]: each["value"] for each in self._container["env"]}
        named = [each["secretRef"]["name"] for each in self._container["envFrom"]]
        secret = {key: value for name in named for key, value in self._secrets[name].items()}
        return {
            "PATH": f"{python}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **secret,
            **{name: value.replace("$$(", "$(") for name, value in given.items()},
        }


@contextmanager
def operator(server: Server, folder: Path, module: str = DRIVER) -> Iterator[Operator]:
    running = Operator(server, folder, module)
    running.start()
    try:
        yield running
    finally:
        running.stop()
