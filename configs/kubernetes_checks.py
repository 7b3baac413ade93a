"""Rules over several settings that hold on Kubernetes only; see configs/checks.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from configs.facts import is_hub_name
from configs.kubernetes import KubernetesCluster
from configs.plan_placement import actors_of_a_run
from configs.schema import AnyRunConfig, FolderModel

_TAINT = re.compile(r"[^=:]+(=[^=:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)")
_SECRET = re.compile(r"(^|_)(TOKEN|SECRET|PASSWORD|CREDENTIALS?|(API)?KEY)(_|$)", re.IGNORECASE)


def actors_fit_in_pods(config: AnyRunConfig, cluster: KubernetesCluster) -> str | None:
    actors = actors_of_a_run(config)
    if actors <= cluster.pod_cpus:
        return None
    return (
        f"cluster.pod_cpus={cluster.pod_cpus}: one pod gets {actors} actors (learner ranks, "
        "samplers, reward workers and reward models), each of which takes a core; raise it"
    )


def shared_memory_is_part_of_the_memory(
    config: AnyRunConfig, cluster: KubernetesCluster
) -> str | None:
    if cluster.shared_memory_gib < cluster.host_memory_gib:
        return None
    return (
        f"cluster.shared_memory_gib={cluster.shared_memory_gib}: must be below "
        f"cluster.host_memory_gib={cluster.host_memory_gib:g}, which it is counted in; lower it"
    )


def environment_holds_no_secret(config: AnyRunConfig, cluster: KubernetesCluster) -> str | None:
    for name in cluster.env:
        if _SECRET.search(name):
            return (
                f"cluster.env: {name} looks like a secret, and would be readable in the manifest; "
                "put it into a Secret (kubectl create secret generic) and name that in "
                "cluster.secrets"
            )
    return None


def tolerations_are_taints(config: AnyRunConfig, cluster: KubernetesCluster) -> str | None:
    for text in cluster.tolerations:
        if not _TAINT.fullmatch(text):
            return (
                f"cluster.tolerations={text}: must be KEY:EFFECT or KEY=VALUE:EFFECT, with "
                "NoSchedule, PreferNoSchedule or NoExecute as the effect"
            )
    return None


def mount_paths_are_apart(config: AnyRunConfig, cluster: KubernetesCluster) -> str | None:
    paths = [cluster.runs_path, *cluster.more_claims.values()]
    for path in paths:
        if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", path):
            return f"{path}: where pods have a claim must be an absolute path without blanks"
        if paths.count(path) > 1 or path in ("/tmp", "/dev/shm"):
            return f"{path}: two volumes of the pods cannot be in the same place"
    return None


def files_are_in_the_pods(config: AnyRunConfig, cluster: KubernetesCluster) -> str | None:
    """They cannot be looked at from here; the driver does that when it starts."""
    claims = (cluster.runs_path, *cluster.more_claims.values())
    for setting, path in _files(config):
        if not path.startswith(tuple(f"{claim}/" for claim in claims)):
            return (
                f"{setting}={path}: must be a path in the pods, below one of their claims "
                f"({', '.join(claims)}); see cluster.more_claims"
            )
    return None


KUBERNETES_CHECKS: list[Callable[[AnyRunConfig, KubernetesCluster], str | None]] = [
    actors_fit_in_pods,
    shared_memory_is_part_of_the_memory,
    environment_holds_no_secret,
    tolerations_are_taints,
    mount_paths_are_apart,
    files_are_in_the_pods,
]


def _files(config: AnyRunConfig) -> Iterator[tuple[str, str]]:
    """What the run reads."""
    if isinstance(config.model, FolderModel) and not is_hub_name(config.model.path):
        yield "model.path", config.model.path
    path = config.data.model_dump().get("path")
    if path and (path.endswith((".jsonl", ".parquet")) or not is_hub_name(path)):
        yield "data.path", path
