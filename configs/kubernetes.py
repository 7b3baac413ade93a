"""Where the processes are on Kubernetes: a RayJob that the KubeRay operator turns into pods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from configs.clusters import ClusterSettings
from configs.settings import NonNegative, Positive


class KubernetesCluster(ClusterSettings):
    """Pods that the KubeRay operator starts: one for the driver, and one for each node."""

    kind: Literal["kubernetes"] = "kubernetes"
    """A RayJob."""
    image: str
    """Container image with this program in it; launch/Dockerfile builds one."""
    runs_claim: str
    """PersistentVolumeClaim for run folders, writable from several nodes (ReadWriteMany)."""
    runs_path: str = "/runs"
    """Where the pods have it; run_dir is the folder of its last part's name in there."""
    more_claims: dict[str, str] = {}
    """Further claims -> where the pods have them, for models and data: {models: /models}."""
    namespace: str = ""
    """Empty: that of kubectl's current context."""
    context: str = ""
    """Of kubectl's configuration; empty: the current one."""
    pod_cpus: Positive = 8
    """CPU cores of each worker pod. Every actor is counted as one."""
    host_memory_gib: Annotated[float, Field(ge=1.0)] = 64.0
    """Memory of each worker pod, shared memory included; also what the plan counts with."""
    start_timeout_s: Positive = 1800
    """Longest wait for the worker pods and their actors to be ready: nodes may have to be added and
    images pulled, while the driver is there already."""
    shared_memory_gib: Positive = 16
    """Size of /dev/shm, for Ray's object store and NCCL."""
    node_selector: dict[str, str] = {}
    """Labels of the nodes for worker pods: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}."""
    tolerations: tuple[str, ...] = ("nvidia.com/gpu:NoSchedule",)
    """Taints of those nodes, as kubectl writes them: KEY:EFFECT or KEY=VALUE:EFFECT."""
    image_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets for the registry of the image."""
    secrets: tuple[str, ...] = ()
    """Names of Secrets whose keys become environment variables: WANDB_API_KEY, HF_TOKEN."""
    env: dict[str, str] = {}
    """Further environment variables, such as {NCCL_SOCKET_IFNAME: eth0}; nothing secret."""
    queue: str = ""
    """Name of a queue to wait in; empty: none."""
    queue_kind: Literal["kueue", "volcano"] = "kueue"
    """Whose queue it is."""
    priority_class: str = ""
    """PriorityClass of the pods; empty: the namespace's default."""
    submission: Literal["SidecarMode", "K8sJobMode"] = "SidecarMode"
    """Who starts the driver: a container in the head pod, or a Job with a pod of its own, which
    namespaces that enforce the restricted Pod Security Standard need."""
    retries: NonNegative = 3
    """How often a failed attempt is followed by another, in new pods, which continues the run."""
    grace_s: Annotated[int, Field(ge=120)] = 600
    """How long pods that have to go may stay, to finish the step and save; longer than a step, or
    an eviction costs what was done since the last checkpoint."""
    keep_failed_s: Annotated[int, Field(ge=0)] = 1800
    """How long the pods of a failed run stay, to be looked into."""

    def folder(self, run_dir: str) -> str:
        """Where the pods have a run folder; those that they have already stay."""
        return f"{self.runs_path.rstrip('/')}/{Path(run_dir).name}"

    def in_pods(self) -> KubernetesCluster:
        """As the driver has it: "all cores" are those of a pod, not those of the machine below."""
        return self.model_copy(update={"threads": self.threads or self.pod_cpus})
