"""The rules by which the KubeRay operator refuses a RayJob after it was created, applied before.

They are those of ray-operator/controllers/ray/utils/validation.go of KubeRay 1.7, and one that the
API server has from the CRD. Each rule is a named function that returns one line, or None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from configs.errors import UserError

Manifest = dict[str, Any]

MAX_NAME = 47
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_OLDEST_RAY_WITH_TOKENS = (2, 52, 0)
_DELETION_ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")


def check_rayjob(manifest: Manifest) -> None:
    """Raises UserError with a line for each rule that the RayJob breaks."""
    problems = [problem for rule in RULES if (problem := rule(manifest)) is not None]
    if problems:
        raise UserError("\n".join(problems))


def name_is_short(job: Manifest) -> str | None:
    name = job["metadata"]["name"]
    if len(name) <= MAX_NAME:
        return None
    return (
        f"run_dir: the RayJob would be called {name}, which has {len(name)} characters, and "
        f"KubeRay takes at most {MAX_NAME}; give run_dir a shorter last part"
    )


def name_is_a_dns_label(job: Manifest) -> str | None:
    name = job["metadata"]["name"]
    if _DNS_1035.fullmatch(name):
        return None
    return (
        f"run_dir: the RayJob would be called {name!r}; its name has to begin with a letter and "
        "end with a letter or digit; choose another last part for run_dir"
    )


def labels_are_labels(job: Manifest) -> str | None:
    for where, labels in _labels(job):
        for key, value in labels.items():
            if len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
                return (
                    f"{where} label {key}={value!r}: must be at most 63 letters, digits, '-', '_' "
                    "and '.', with a letter or digit at both ends"
                )
    return None


def suspended_jobs_shut_down(job: Manifest) -> str | None:
    spec = job["spec"]
    if not spec.get("suspend") or spec.get("shutdownAfterJobFinishes"):
        return None
    return "spec.suspend: needs spec.shutdownAfterJobFinishes=true"


def suspended_jobs_have_their_own_cluster(job: Manifest) -> str | None:
    if job["spec"].get("suspend") and job["spec"].get("clusterSelector"):
        return "spec.suspend: cannot be had with spec.clusterSelector"
    return None


def time_to_live_is_not_negative(job: Manifest) -> str | None:
    seconds = job["spec"].get("ttlSecondsAfterFinished", 0)
    return None if seconds >= 0 else f"spec.ttlSecondsAfterFinished={seconds}: must be at least 0"


def time_to_live_needs_shutdown(job: Manifest) -> str | None:
    spec = job["spec"]
    if spec.get("shutdownAfterJobFinishes") or not spec.get("ttlSecondsAfterFinished"):
        return None
    return "spec.ttlSecondsAfterFinished: needs spec.shutdownAfterJobFinishes=true"


def deletion_rules_replace_shutdown(job: Manifest) -> str | None:
    if job["spec"].get("shutdownAfterJobFinishes") and _deletion_rules(job):
        return "spec.deletionStrategy.deletionRules: excludes spec.shutdownAfterJobFinishes"
    return None


def deletion_strategy_is_of_one_style(job: Manifest) -> str | None:
    strategy = job["spec"].get("deletionStrategy")
    if strategy is None:
        return None
    old = [name for name in ("onSuccess", "onFailure") if name in strategy]
    if (strategy.get("deletionRules") and not old) or (len(old) == 2 and len(strategy) == 2):
        return None
    return (
        "spec.deletionStrategy: must hold deletionRules, or both onSuccess and onFailure, and not "
        f"{sorted(strategy)}"
    )


def deletion_rules_name_one_status(job: Manifest) -> str | None:
    for rule in _deletion_rules(job):
        named = [key for key in ("jobStatus", "jobDeploymentStatus") if key in rule["condition"]]
        if len(named) != 1:
            return "spec.deletionStrategy.deletionRules: a condition has one of the two statuses"
    return None


def deletion_rules_wait_in_order(job: Manifest) -> str | None:
    """The parts of a job go before the whole, and each of them once."""
    seen: dict[tuple[str, str], int] = {}
    for rule in _deletion_rules(job):
        condition = rule["condition"]
        status = condition.get("jobStatus") or condition.get("jobDeploymentStatus")
        seconds = condition.get("ttlSeconds", 0)
        if seconds < 0:
            return f"spec.deletionStrategy.deletionRules: ttlSeconds={seconds}, at least 0"
        if (status, rule["policy"]) in seen:
            return f"spec.deletionStrategy.deletionRules: {rule['policy']} twice for {status}"
        seen[status, rule["policy"]] = seconds
    for status in {status for status, _ in seen}:
        times = [seen[status, policy] for policy in _DELETION_ORDER if (status, policy) in seen]
        if times != sorted(times):
            return (
                f"spec.deletionStrategy.deletionRules: for {status}, ttlSeconds must not fall in "
                f"the order {', '.join(_DELETION_ORDER)}"
            )
    return None


def job_has_a_cluster(job: Manifest) -> str | None:
    spec = job["spec"]
    if spec.get("clusterSelector"):
        return (
            "spec.clusterSelector: not in SidecarMode"
            if spec.get("submissionMode") == "SidecarMode"
            else None
        )
    return None if "rayClusterSpec" in spec else "spec.rayClusterSpec: must be there"


def retries_are_possible(job: Manifest) -> str | None:
    retries = job["spec"].get("backoffLimit", 0)
    if retries < 0:
        return f"spec.backoffLimit={retries}: must be at least 0"
    for mode in ("InteractiveMode", "clusterSelector"):
        if retries and (job["spec"].get("submissionMode") == mode or mode in job["spec"]):
            return f"spec.backoffLimit={retries}: no retries with {mode}"
    return None


def sidecar_needs_no_submitter(job: Manifest) -> str | None:
    if job["spec"].get("submissionMode") != "SidecarMode":
        return None
    for field in ("submitterPodTemplate", "submitterConfig"):
        if field in job["spec"]:
            return f"spec.{field}: not in SidecarMode"
    return None


def sidecar_head_is_not_restarted(job: Manifest) -> str | None:
    if job["spec"].get("submissionMode") != "SidecarMode":
        return None
    policy = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"].get("restartPolicy")
    return None if policy in (None, "Never") else f"restartPolicy={policy} of the head: only Never"


def groups_have_containers(job: Manifest) -> str | None:
    for name, group in _groups(job):
        if not group["template"]["spec"].get("containers"):
            return f"group {name}: needs at least one container"
    return None


def resources_are_said_once(job: Manifest) -> str | None:
    for name, group in _groups(job):
        parameters = group.get("rayStartParams", {})
        said = [key for key in ("num-cpus", "num-gpus", "memory", "resources") if key in parameters]
        if said and group.get("resources"):
            return f"group {name}: {said[0]} in rayStartParams excludes resources"
    return None


def labels_are_not_start_parameters(job: Manifest) -> str | None:
    for name, group in _groups(job):
        if "labels" in group.get("rayStartParams", {}):
            return f"group {name}: labels stand beside rayStartParams, not in it"
    return None


def replicas_are_within_bounds(job: Manifest) -> str | None:
    for name, group in list(_groups(job))[1:]:
        least, most = group["minReplicas"], group["maxReplicas"]
        if not least <= group.get("replicas", least) <= most:
            return f"group {name}: replicas={group['replicas']} is not within {least} to {most}"
    return None


def tokens_need_a_ray_version(job: Manifest) -> str | None:
    cluster = job["spec"].get("rayClusterSpec", {})
    if cluster.get("authOptions", {}).get("mode") != "token":
        return None
    version = str(cluster.get("rayVersion", ""))
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return f"rayVersion={version!r}: token authentication needs it, such as 2.60.0"
    if tuple(map(int, version.split("."))) < _OLDEST_RAY_WITH_TOKENS:
        return f"rayVersion={version}: token authentication needs 2.52.0 or later"
    return None


def environment_leaves_the_operator_alone(job: Manifest) -> str | None:
    """Variables that would switch on what the RayJob does not have."""
    for _, group in _groups(job):
        for container in group["template"]["spec"].get("containers") or []:
            for variable in container.get("env", []):
                if variable["name"] in ("RAY_REDIS_ADDRESS", "REDIS_USERNAME", "REDIS_PASSWORD"):
                    return f"cluster.env: {variable['name']} asks for Redis, which is not used"
                if variable["name"] == "RAY_enable_autoscaler_v2":
                    return (
                        "cluster.env: RAY_enable_autoscaler_v2 needs the autoscaler, which is off"
                    )
    return None


def runtime_environment_is_yaml(job: Manifest) -> str | None:
    try:
        yaml.safe_load(job["spec"].get("runtimeEnvYAML", ""))
    except yaml.YAMLError:
        return "spec.runtimeEnvYAML: is no YAML"
    return None


def deadline_is_positive(job: Manifest) -> str | None:
    seconds = job["spec"].get("activeDeadlineSeconds", 1)
    return None if seconds > 0 else f"spec.activeDeadlineSeconds={seconds}: must be positive"


RULES: list[Callable[[Manifest], str | None]] = [
    name_is_short,
    name_is_a_dns_label,
    labels_are_labels,
    suspended_jobs_shut_down,
    suspended_jobs_have_their_own_cluster,
    time_to_live_is_not_negative,
    time_to_live_needs_shutdown,
    deletion_rules_replace_shutdown,
    deletion_strategy_is_of_one_style,
    deletion_rules_name_one_status,
    deletion_rules_wait_in_order,
    job_has_a_cluster,
    retries_are_possible,
    sidecar_needs_no_submitter,
    sidecar_head_is_not_restarted,
    groups_have_containers,
    resources_are_said_once,
    labels_are_not_start_parameters,
    replicas_are_within_bounds,
    tokens_need_a_ray_version,
    environment_leaves_the_operator_alone,
    runtime_environment_is_yaml,
    deadline_is_positive,
]


def _groups(job: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Name and specification of the head and of every worker group."""
    cluster = job["spec"].get("rayClusterSpec")
    if cluster is not None:
        yield "head", cluster["headGroupSpec"]
        for group in cluster.get("workerGroupSpecs", []):
            yield group["groupName"], group


def _labels(job: Manifest) -> Iterator[tuple[str, dict[str, str]]]:
    yield "metadata", job["metadata"].get("labels", {})
    for name, group in _groups(job):
        yield f"group {name}", group.get("labels", {})


def _deletion_rules(job: Manifest) -> list[Manifest]:
    return (job["spec"].get("deletionStrategy") or {}).get("deletionRules") or []
