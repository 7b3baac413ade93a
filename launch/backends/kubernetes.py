"""Runs on Kubernetes, as RayJobs, through kubectl.

The run folder that the user names keeps settings, manifest and job.json. The one that the driver
writes has the same name and is on the claim that the pods share; what it says is read through the
head pod, unless the user's folder is on that claim.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from configs.compose import from_yaml
from configs.errors import UserError
from configs.kubernetes import KubernetesCluster
from configs.pipeline import AnyConfig, PipelineConfig
from launch.backends.base import Job, JobState
from launch.backends.kubectl import Kubectl, KubectlFailed
from launch.backends.rayjob import HEAD, SUBMITTER, as_in_pods, job_name, rayjob, to_text
from launch.backends.rayjob_rules import check_rayjob
from launch.run_folder import open_folder, write_atomically
from launch.stop import withdraw_stop

State = Literal["pending", "running", "ended"]

ENDED = ("Complete", "Failed", "ValidationFailed")
"""status.jobDeploymentStatus of a RayJob that is over."""
TOLD = ("status.json", "run.json", "stages/*/status.json", "stages/*/manifest.json")
"""Files in which the driver says where the run stands."""
WAIT_S = 2.0
MANIFEST = "rayjob.yaml"


class KubernetesBackend:
    """The Backend protocol over RayJobs."""

    def render(self, config: AnyConfig) -> str:
        manifest = rayjob(config)
        check_rayjob(manifest)
        return to_text(manifest)

    def submit(self, config: AnyConfig) -> int:
        from launch.backends.job import write_job

        manifest = self.render(config)
        # With the settings of the driver, so that a folder on the claim has one set of them.
        folder = open_folder(as_in_pods(config).model_copy(update={"run_dir": config.run_dir}))
        kubectl = _kubectl(config)
        _make_way(kubectl, folder, job_name(config))
        withdraw_stop(folder)
        write_atomically(folder / MANIFEST, manifest)
        made = _create(kubectl, folder / MANIFEST)
        name, where = made["name"], f"{kubectl.context}/{made['namespace']}"
        write_job(folder, Job("kubernetes", name, where, time.time(), made["uid"]))
        print(f"submitted RayJob {name} to namespace {made['namespace']}; its pods come next")
        for command in ("status", "logs -f", "stop", "cancel"):
            print(f"  launch {command} {config.run_dir}")
        return 0

    def poll(self, job: Job) -> JobState:
        try:
            found = _of(job).read("rayjob", job.id)
        except KubectlFailed as error:
            return JobState("unknown", str(error), "kubectl")
        if found is None or found["metadata"]["uid"] != job.mark:
            return JobState("ended", "the RayJob has been deleted", "kubectl")
        return JobState(*_state(found.get("status", {})), "kubectl")

    def logs(self, run_dir: Path, job: Job, role: str, *, follow: bool) -> Iterator[str]:
        """The driver's output comes from the pod that shows it, other roles' from their files."""
        if role and not re.fullmatch(r"[a-z0-9-]+", role):
            raise UserError(
                f"--role={role}: no such log; there are driver, sampler-0, learner-0 ..."
            )
        kubectl, seen = _of(job), set[str]()
        self.fetch(run_dir, job)
        while True:
            pod = _pod(kubectl, job, submitter=role in ("", "driver"))
            if pod is not None and pod not in seen:
                seen.add(pod)
                yield from _log_of(kubectl, pod, run_dir, role, follow=follow)
            if not follow or not self.poll(job).alive:
                break
            time.sleep(WAIT_S)
        if not seen:
            raise UserError(f"{run_dir}: the job has no pod, so there is no log yet, or no more")

    def signal(self, run_dir: Path, job: Job) -> str:
        kubectl = _of(job)
        pod = _pod(kubectl, job, submitter=False)
        if pod is None:
            self.cancel(run_dir, job)
            return "it was waiting for pods; its RayJob is deleted"
        # Renamed into place, as launch.stop does it.
        write = "echo final > .STOP.tmp && mv .STOP.tmp STOP"
        _in_head(kubectl, pod, "bash", "-c", f"cd '{_pod_run_dir(run_dir)}' && {write}")
        return "it saves and ends after the step that is running"

    def cancel(self, run_dir: Path, job: Job) -> None:
        _of(job).run("delete", "rayjob", job.id, "--wait=true", "--timeout=50s")

    def fetch(self, run_dir: Path, job: Job) -> None:
        """Bring what the driver says about the run and its stages into the user's folder."""
        folder, kubectl = _pod_run_dir(run_dir), _of(job)
        if folder == str(run_dir.resolve()):
            return
        told = f"cd '{folder}' && grep -Hs '' {' '.join(TOLD)} || true"
        try:
            pod = _pod(kubectl, job, submitter=False)
            lines = _in_head(kubectl, pod, "bash", "-c", told).splitlines() if pod else []
        except KubectlFailed:
            return  # the pod has just gone: what is known stays
        for name, of_file in groupby((line.partition(":") for line in lines), itemgetter(0)):
            path = run_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, "\n".join(text for _, _, text in of_file))


def _kubectl(config: AnyConfig) -> Kubectl:
    """With the context of now, so that a later change of it does not lose the job."""
    cluster = config.cluster
    assert isinstance(cluster, KubernetesCluster)
    if cluster.context:
        return Kubectl(cluster.context, cluster.namespace)
    try:
        current = Kubectl("", "").run("config", "current-context").strip()
    except KubectlFailed:
        current = ""  # in a pod there is none, and none is needed
    return Kubectl(current, cluster.namespace)


def _of(job: Job) -> Kubectl:
    # Names of contexts may hold slashes, those of namespaces never do.
    context, _, namespace = job.where.rpartition("/")
    return Kubectl(context, namespace)


def _make_way(kubectl: Kubectl, run_dir: Path, name: str) -> None:
    """Delete the run's own RayJob of before, which is over; refuse to touch any other."""
    from launch.backends.job import read_job

    found = kubectl.read("rayjob", name)
    if found is None:
        return
    mark = read_job(run_dir).mark if (run_dir / "job.json").is_file() else ""
    if found["metadata"]["uid"] != mark:
        raise UserError(
            f"run_dir={run_dir}: namespace {found['metadata']['namespace']} has a RayJob {name} "
            f"that was not started from this folder; choose another last part for run_dir, or "
            f"delete it: kubectl delete rayjob {name}"
        )
    kubectl.run("delete", "rayjob", name, "--wait=true", "--timeout=50s")


def _create(kubectl: Kubectl, manifest: Path) -> dict[str, Any]:
    """The metadata of the RayJob made from a file."""
    return json.loads(kubectl.run("create", "--filename", str(manifest), "--output=json"))[
        "metadata"
    ]


def _state(status: dict[str, Any]) -> tuple[State, str]:
    """Kind of state and words for it, from a RayJob's status."""
    deployment, job = status.get("jobDeploymentStatus", ""), status.get("jobStatus", "")
    words = [deployment or "New", f"job {job}" if job else ""]
    if failed := status.get("failed"):
        words.append(f"{failed} attempts failed")
    if deployment in ENDED and status.get("message"):
        words.append(status["message"].strip().splitlines()[0])
    detail = ", ".join(word for word in words if word)
    if deployment in ENDED:
        return "ended", detail
    return ("running" if deployment == "Running" and job == "RUNNING" else "pending"), detail


def _pod(kubectl: Kubectl, job: Job, *, submitter: bool) -> str | None:
    """Name of the newest attempt's head pod, or of the pod that shows the driver's output."""
    found = kubectl.read("rayjob", job.id)
    if found is None or not (cluster := found.get("status", {}).get("rayClusterName")):
        return None
    labels = f"ray.io/cluster={cluster},ray.io/node-type=head"
    if submitter and found["spec"].get("submissionMode") != "SidecarMode":
        labels = f"job-name={job.id}"
    pods = kubectl.read("pods", f"--selector={labels}")
    assert pods is not None, "a list is never missing"
    # The submitter's own pod ends with the driver; a head pod stays.
    shown = ("Running", "Succeeded", "Failed") if submitter else ("Running",)
    found_pods = [pod for pod in pods["items"] if pod.get("status", {}).get("phase") in shown]
    return found_pods[-1]["metadata"]["name"] if found_pods else None


def _log_of(kubectl: Kubectl, pod: str, run_dir: Path, role: str, *, follow: bool) -> Iterator[str]:
    more = ["--follow"] if follow else []
    if role in ("", "driver"):
        return kubectl.lines("logs", pod, f"--container={SUBMITTER}", *more)
    path = f"{_pod_run_dir(run_dir)}/{_stage(run_dir)}logs/latest/{role}.log"
    return kubectl.lines("exec", pod, f"--container={HEAD}", "--", "tail", "-n", "+1", *more, path)


def _stage(run_dir: Path) -> str:
    """Where in its folder a pipeline has the stage that is running; empty for other runs."""
    config = from_yaml((run_dir / "config.yaml").read_text())
    status = run_dir / "status.json"
    if not isinstance(config, PipelineConfig) or not status.is_file():
        return ""
    return f"stages/{json.loads(status.read_text())['phase']}/"


def _pod_run_dir(run_dir: Path) -> str:
    """The run folder as the pods see it."""
    config = from_yaml((run_dir / "config.yaml").read_text())
    return as_in_pods(config).run_dir


def _in_head(kubectl: Kubectl, pod: str, *command: str) -> str:
    """Output of a command in the head pod."""
    return kubectl.run("exec", pod, f"--container={HEAD}", "--", *command)
