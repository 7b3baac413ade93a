"""Each rule of the operator refuses what it is for, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from configs.errors import UserError
from launch.backends import rayjob_rules as rules
from launch.backends.rayjob import rayjob
from tests.unit.launch.backends.rayjobs import PLAIN, load

Manifest = dict[str, Any]
SECONDS = 60


def deletion(*conditions: dict[str, Any], policies: tuple[str, ...] = ()) -> dict[str, Any]:
    """Rules, each with its policy; DeleteCluster without."""
    named = policies or ("DeleteCluster",) * len(conditions)
    pairs = zip(named, conditions, strict=True)
    return {"deletionRules": [{"policy": policy, "condition": each} for policy, each in pairs]}


def after(seconds: int) -> dict[str, Any]:
    return {"jobStatus": "FAILED", "ttlSeconds": seconds}


def change(path: str, value: Any) -> Callable[[Manifest], None]:
    """Set what a path such as spec.rayClusterSpec.workerGroupSpecs.0.replicas leads to."""

    def apply(manifest: Manifest) -> None:
        *way, last = path.split(".")
        place: Any = manifest
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return apply


CLUSTER = "spec.rayClusterSpec"
HEAD = f"{CLUSTER}.headGroupSpec"
WORKERS = f"{CLUSTER}.workerGroupSpecs.0"
SHUTDOWN = change("spec.shutdownAfterJobFinishes", True)
NO_RULES = change("spec.deletionStrategy", None)

CASES: list[tuple[Callable[[Manifest], str | None], list[Callable[[Manifest], None]]]] = [
    (rules.name_is_short, [change("metadata.name", "a" * 48)]),
    (rules.name_is_a_dns_label, [change("metadata.name", "1-a")]),
    (rules.name_is_a_dns_label, [change("metadata.name", "a-")]),
    (rules.labels_are_labels, [change("metadata.labels", {"a": "-b"})]),
    (rules.labels_are_labels, [change(f"{WORKERS}.labels", {"a": "b" * 64})]),
    (rules.suspended_jobs_shut_down, [change("spec.suspend", True)]),
    (
        rules.suspended_jobs_have_their_own_cluster,
        [
            change("spec.suspend", True),
            SHUTDOWN,
            NO_RULES,
            change("spec.clusterSelector", {"ray.io/cluster": "a"}),
            change("spec.submissionMode", "K8sJobMode"),
            change("spec.backoffLimit", 0),
        ],
    ),
    (
        rules.time_to_live_is_not_negative,
        [change("spec.ttlSecondsAfterFinished", -1), SHUTDOWN, NO_RULES],
    ),
    (rules.time_to_live_needs_shutdown, [change("spec.ttlSecondsAfterFinished", 1)]),
    (rules.deletion_rules_replace_shutdown, [SHUTDOWN]),
    (rules.deletion_strategy_is_of_one_style, [change("spec.deletionStrategy", {})]),
    (
        rules.deletion_strategy_is_of_one_style,
        [change("spec.deletionStrategy", {"onSuccess": {"policy": "DeleteSelf"}})],
    ),
    (
        rules.deletion_strategy_is_of_one_style,
        [change("spec.deletionStrategy.onSuccess", {"policy": "DeleteSelf"})],
    ),
    (
        rules.deletion_rules_name_one_status,
        [change("spec.deletionStrategy", deletion({"ttlSeconds": 1}))],
    ),
    (
        rules.deletion_rules_name_one_status,
        [
            change(
                "spec.deletionStrategy",
                deletion({"jobStatus": "FAILED", "jobDeploymentStatus": "Failed"}),
            )
        ],
    ),
    (rules.deletion_rules_wait_in_order, [change("spec.deletionStrategy", deletion(after(-1)))]),
    (
        rules.deletion_rules_wait_in_order,
        [change("spec.deletionStrategy", deletion(after(1), after(2)))],
    ),
    (
        rules.deletion_rules_wait_in_order,
        [
            change(
                "spec.deletionStrategy",
                deletion(after(1), after(2), policies=("DeleteSelf", "DeleteWorkers")),
            )
        ],
    ),
    (rules.job_has_a_cluster, [change(CLUSTER, None), change("spec.submissionMode", "HTTPMode")]),
    (
        rules.job_has_a_cluster,
        [
            change("spec.clusterSelector", {"ray.io/cluster": "a"}),
            change("spec.backoffLimit", 0),
        ],
    ),
    (rules.retries_are_possible, [change("spec.backoffLimit", -1)]),
    (rules.retries_are_possible, [change("spec.submissionMode", "InteractiveMode")]),
    (rules.sidecar_needs_no_submitter, [change("spec.submitterPodTemplate", {})]),
    (rules.sidecar_needs_no_submitter, [change("spec.submitterConfig", {"backoffLimit": 1})]),
    (
        rules.sidecar_head_is_not_restarted,
        [change(f"{HEAD}.template.spec.restartPolicy", "Always")],
    ),
    (rules.groups_have_containers, [change(f"{HEAD}.template.spec.containers", [])]),
    (rules.groups_have_containers, [change(f"{WORKERS}.template.spec.containers", [])]),
    (rules.resources_are_said_once, [change(f"{HEAD}.resources", {"CPU": "1"})]),
    (
        rules.labels_are_not_start_parameters,
        [change(f"{WORKERS}.rayStartParams.labels", "a=b")],
    ),
    (rules.replicas_are_within_bounds, [change(f"{WORKERS}.replicas", 2)]),
    (rules.tokens_need_a_ray_version, [change(f"{CLUSTER}.rayVersion", None)]),
    (rules.tokens_need_a_ray_version, [change(f"{CLUSTER}.rayVersion", "nightly")]),
    (rules.tokens_need_a_ray_version, [change(f"{CLUSTER}.rayVersion", "2.9.3")]),
    (
        rules.environment_leaves_the_operator_alone,
        [
            change(
                f"{HEAD}.template.spec.containers.0.env",
                [{"name": "RAY_REDIS_ADDRESS", "value": "a"}],
            )
        ],
    ),
    (rules.runtime_environment_is_yaml, [change("spec.runtimeEnvYAML", "a: b: c")]),
    (rules.deadline_is_positive, [change("spec.activeDeadlineSeconds", 0)]),
]


def test_a_good_manifest_breaks_no_rule() -> None:
    rules.check_rayjob(rayjob(load(*PLAIN)))


@pytest.mark.parametrize(("rule", "changes"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_a_rule_refuses_what_it_is_for_and_is_the_only_one(
    rule: Callable[[Manifest], str | None], changes: list[Callable[[Manifest], None]]
) -> None:
    manifest = rayjob(load(*PLAIN))
    for apply in changes:
        apply(manifest)
    broken = [each.__name__ for each in rules.RULES if each(manifest) is not None]
    assert broken == [rule.__name__]
    with pytest.raises(UserError) as raised:
        rules.check_rayjob(manifest)
    assert len(str(raised.value).splitlines()) == 1


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, _ in CASES} == set(rules.RULES)


def test_the_rules_that_settings_can_break_name_the_setting() -> None:
    with pytest.raises(UserError, match=r"^run_dir: .* has 50 characters, .* at most 47; give"):
        rules.check_rayjob(rayjob(load(*PLAIN, f"run_dir=runs/{'x' * 50}")))
    with pytest.raises(UserError, match=r"^run_dir: .* '7b'; its name has to begin with a letter"):
        rules.check_rayjob(rayjob(load(*PLAIN, "run_dir=runs/7b")))
