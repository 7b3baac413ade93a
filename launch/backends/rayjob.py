"""From settings to a RayJob, the Kubernetes object that KubeRay turns into a Ray cluster and a job
on it. Pure functions: the same settings give the same text, byte for byte.

The driver runs in the head pod, which offers Ray no CPUs and no GPUs, so that no actor lands there.
Settings reach it in an environment variable, because an entrypoint passes through two shells.
Secrets are named, never contained.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from configs.compose import to_yaml
from configs.kubernetes import KubernetesCluster
from configs.pipeline import AnyConfig
from launch.backends.pod import SETTINGS_VARIABLE

Manifest = dict[str, Any]

ENTRYPOINT = "python -m launch.backends.pod"
RAY_VERSION = "2.60.0"
HEAD = "ray-head"
WORKER = "ray-worker"
SUBMITTER = "ray-job-submitter"
"""What KubeRay calls the container that shows the driver's output."""
HEAD_RESOURCES = {"cpu": "4", "memory": "16Gi"}
HEAD_SHARED_MEMORY_GIB = 8
"""For the driver: it holds the completions of a step and builds the nano model, but no other."""
KEEP_DONE_S = 300
"""How long the pods of a run that has ended well stay."""
LABEL = "app.kubernetes.io/name"
USER = 1000


def job_name(config: AnyConfig) -> str:
    """runs/r1_zero-nano_v3 -> r1-zero-nano-v3."""
    return re.sub(r"[^a-z0-9-]+", "-", Path(config.run_dir).name.lower())


def as_in_pods(config: AnyConfig) -> AnyConfig:
    """The settings that the driver reads: its folder is on the claim."""
    cluster = _cluster(config)
    changed = {"run_dir": cluster.folder(config.run_dir), "cluster": cluster.in_pods()}
    return config.model_copy(update=changed)


def _cluster(config: AnyConfig) -> KubernetesCluster:
    assert isinstance(config.cluster, KubernetesCluster), config.cluster.kind
    return config.cluster


def to_text(manifest: Manifest) -> str:
    """The manifest as YAML that kubectl reads."""
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=100)


def rayjob(config: AnyConfig) -> Manifest:
    """The RayJob of a run."""
    cluster, in_pods = _cluster(config), as_in_pods(config)
    labels = {LABEL: "r1-foundry"} | _queue_labels(cluster)
    metadata: Manifest = {"name": job_name(config), "labels": labels}
    if cluster.namespace:
        metadata["namespace"] = cluster.namespace
    spec: Manifest = {
        "entrypoint": ENTRYPOINT,
        "submissionMode": cluster.submission,
        "backoffLimit": cluster.retries,
        **_ending(cluster),
        "rayClusterSpec": {
            "rayVersion": RAY_VERSION,
            "authOptions": {"mode": "token"},
            "headGroupSpec": _head(cluster, in_pods),
            "workerGroupSpecs": [_workers(cluster, in_pods.run_dir)],
        },
    }
    if cluster.submission == "K8sJobMode":
        spec["submitterPodTemplate"] = _submitter(cluster)
    return {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": metadata, "spec": spec}


def _queue_labels(cluster: KubernetesCluster) -> dict[str, str]:
    if not cluster.queue:
        return {}
    if cluster.queue_kind == "kueue":
        return {"kueue.x-k8s.io/queue-name": cluster.queue}
    priority = {"ray.io/priority-class-name": cluster.priority_class}
    return {"volcano.sh/queue-name": cluster.queue} | (priority if cluster.priority_class else {})


def _ending(cluster: KubernetesCluster) -> Manifest:
    """What happens to the pods when the job has ended."""
    if cluster.queue and cluster.queue_kind == "kueue":
        # Kueue takes jobs suspended, and only such ones whose pods go by themselves; that excludes
        # rules of their own for success and failure.
        return {
            "suspend": True,
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": cluster.keep_failed_s,
        }
    succeeded = {"jobStatus": "SUCCEEDED", "ttlSeconds": KEEP_DONE_S}
    # The deployment's status also covers what failed before there was a job.
    failed = {"jobDeploymentStatus": "Failed", "ttlSeconds": cluster.keep_failed_s}
    rules = [{"policy": "DeleteCluster", "condition": each} for each in (succeeded, failed)]
    return {"deletionStrategy": {"deletionRules": rules}}


def _head(cluster: KubernetesCluster, in_pods: AnyConfig) -> Manifest:
    # Kubernetes would replace $(NAME) in the value of a variable.
    settings = to_yaml(in_pods).replace("$(", "$$(")
    container = _container(HEAD, in_pods.run_dir, cluster, HEAD_RESOURCES)
    container["env"].append({"name": SETTINGS_VARIABLE, "value": settings})
    return {
        "rayStartParams": {"num-cpus": "0", "num-gpus": "0"},
        "template": _pod(cluster, container, HEAD_SHARED_MEMORY_GIB),
    }


def _workers(cluster: KubernetesCluster, run_dir: str) -> Manifest:
    resources = {"cpu": str(cluster.pod_cpus), "memory": f"{cluster.host_memory_gib:.0f}Gi"}
    if cluster.device == "cuda":
        resources["nvidia.com/gpu"] = str(cluster.devices_per_node)
    container = _container(WORKER, run_dir, cluster, resources)
    pod = _pod(cluster, container, cluster.shared_memory_gib)
    if cluster.node_selector:
        pod["spec"]["nodeSelector"] = dict(cluster.node_selector)
    if cluster.tolerations:
        pod["spec"]["tolerations"] = [toleration(text) for text in cluster.tolerations]
    return {
        "groupName": "workers",
        "replicas": cluster.nodes,
        "minReplicas": cluster.nodes,
        "maxReplicas": cluster.nodes,
        "rayStartParams": {"num-cpus": str(cluster.pod_cpus)},
        "template": pod,
    }


def toleration(text: str) -> dict[str, str]:
    """KEY:EFFECT or KEY=VALUE:EFFECT, as in kubectl taint."""
    taint, _, effect = text.rpartition(":")
    key, equals, value = taint.partition("=")
    if equals:
        return {"key": key, "operator": "Equal", "value": value, "effect": effect}
    return {"key": key, "operator": "Exists", "effect": effect}


def _container(
    name: str, run_dir: str, cluster: KubernetesCluster, resources: dict[str, str]
) -> Manifest:
    variables = {
        # The file system of the image is read-only; this one is shared by all pods.
        "HOME": f"{cluster.runs_path.rstrip('/')}/.home",
        "RAY_USAGE_STATS_ENABLED": "0",
        "NCCL_DEBUG": "WARN",
        **cluster.env,
    }
    mounts = {cluster.runs_path: "runs", "/dev/shm": "shared-memory", "/tmp": "tmp"}
    wait = ["python", "-m", "launch.backends.pod", "wait"]
    mounts |= {path: claim for claim, path in cluster.more_claims.items()}
    return {
        "name": name,
        "image": cluster.image,
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "envFrom": [{"secretRef": {"name": secret}} for secret in cluster.secrets],
        "resources": {"limits": resources, "requests": resources},
        "volumeMounts": [{"name": volume, "mountPath": path} for path, volume in mounts.items()],
        "securityContext": _unprivileged(),
        "lifecycle": {"preStop": {"exec": {"command": [*wait, run_dir]}}},
    }


def _unprivileged() -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _pod(cluster: KubernetesCluster, container: Manifest, shared_memory_gib: int) -> Manifest:
    volumes: list[Manifest] = [
        {"name": "runs", "persistentVolumeClaim": {"claimName": cluster.runs_claim}},
        {
            "name": "shared-memory",
            "emptyDir": {"medium": "Memory", "sizeLimit": f"{shared_memory_gib}Gi"},
        },
        {"name": "tmp", "emptyDir": {}},
    ]
    for claim in cluster.more_claims:
        volumes.append({"name": claim, "persistentVolumeClaim": {"claimName": claim}})
    return {
        "metadata": {"labels": {LABEL: "r1-foundry"}},
        "spec": _spec(cluster, container, volumes),
    }


def _spec(cluster: KubernetesCluster, container: Manifest, volumes: list[Manifest]) -> Manifest:
    """What pods of all kinds have in common."""
    spec: Manifest = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": cluster.grace_s,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }
    if cluster.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in cluster.image_pull_secrets]
    if cluster.priority_class:
        spec["priorityClassName"] = cluster.priority_class
    return spec


def _submitter(cluster: KubernetesCluster) -> Manifest:
    """The pod that starts the driver in K8sJobMode; KubeRay adds its command."""
    resources = {"cpu": "500m", "memory": "1Gi"}
    container = {
        "name": SUBMITTER,
        "image": cluster.image,
        "env": [{"name": "HOME", "value": "/tmp"}],
        "resources": {"limits": resources, "requests": resources},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": _unprivileged(),
    }
    return {
        "metadata": {"labels": {LABEL: "r1-foundry"}},
        "spec": _spec(cluster, container, [{"name": "tmp", "emptyDir": {}}]),
    }


class _Dumper(yaml.SafeDumper):
    """No anchors for what occurs twice, and texts of several lines as they are."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
