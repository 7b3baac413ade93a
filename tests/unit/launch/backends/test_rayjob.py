"""Settings become the RayJobs that are written down in golden/, byte for byte, and those are what
KubeRay takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.compose import from_yaml, load_config
from configs.pipeline import PipelineConfig
from launch.backends.rayjob import (
    SETTINGS_VARIABLE,
    as_in_pods,
    job_name,
    rayjob,
    to_text,
    toleration,
)
from launch.backends.rayjob_rules import check_rayjob
from launch.stages import stage_runs
from tests.kubernetes.crd import problems, skip_without_crds
from tests.unit.launch.backends.rayjobs import GOLDEN, PLAIN, load

FOLDER = Path(__file__).parent / "golden"


def head_variables(manifest: dict[str, Any]) -> list[dict[str, str]]:
    head = manifest["spec"]["rayClusterSpec"]["headGroupSpec"]
    return head["template"]["spec"]["containers"][0]["env"]


def pod_specs(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    spec = manifest["spec"]
    groups = [spec["rayClusterSpec"]["headGroupSpec"], *spec["rayClusterSpec"]["workerGroupSpecs"]]
    templates = [group["template"] for group in groups]
    return [each["spec"] for each in [*templates, spec.get("submitterPodTemplate")] if each]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_manifest_is_the_golden_one(name: str) -> None:
    """To write a golden file again after a wanted change: let write() write it."""
    manifest = rayjob(load(*GOLDEN[name]))
    # The settings change with every default; a test of their own covers them.
    head_variables(manifest)[-1]["value"] = "..."
    assert to_text(manifest) == (FOLDER / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", GOLDEN)
def test_the_text_is_the_manifest_and_says_the_same_every_time(name: str) -> None:
    config = load(*GOLDEN[name])
    text = to_text(rayjob(config))
    assert yaml.safe_load(text) == rayjob(config)
    assert text == to_text(rayjob(load(*GOLDEN[name])))


@pytest.mark.parametrize("name", GOLDEN)
def test_the_manifest_is_what_kuberay_takes(name: str) -> None:
    skip_without_crds()
    manifest = rayjob(load(*GOLDEN[name]))
    assert problems(manifest) == []
    check_rayjob(manifest)


def test_the_schema_test_can_fail() -> None:
    skip_without_crds()
    manifest = rayjob(load(*PLAIN))
    manifest["spec"]["backofLimit"] = 3
    manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"][0].pop("minReplicas")
    found = " ".join(problems(manifest))
    assert "'backofLimit' was unexpected" in found and "'minReplicas' is a required" in found


@pytest.mark.parametrize("name", GOLDEN)
def test_no_container_has_privileges(name: str) -> None:
    for pod in pod_specs(rayjob(load(*GOLDEN[name]))):
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] != 0
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_the_driver_reads_the_same_settings_in_its_pod() -> None:
    config = load(*PLAIN, "run_dir=runs/a_b", "data.seed=5", "tracking.wandb_project=a $(HOME) b")
    (settings,) = [
        each["value"]
        for each in head_variables(rayjob(config))
        if each["name"] == SETTINGS_VARIABLE
    ]
    assert "$$(HOME)" in settings  # Kubernetes makes one $ of two, and replaces $(HOME)
    read = from_yaml(settings.replace("$$(", "$("))
    assert read == as_in_pods(config)
    assert read.run_dir == "/runs/a_b"
    expected = config.model_dump() | {"run_dir": "/runs/a_b"}
    assert json.loads(read.model_dump_json()) == json.loads(
        type(config).model_validate(expected).model_dump_json()
    )


def test_a_pipeline_is_one_job_and_its_stages_are_on_the_claim() -> None:
    words = ["cluster.pod_cpus=12", "stages.distill.cluster.threads=0"]
    config = load_config(["recipe=r1", *PLAIN, "run_dir=runs/r1", *words])
    manifest = rayjob(config)
    check_rayjob(manifest)
    read = from_yaml(head_variables(manifest)[-1]["value"])
    assert isinstance(read, PipelineConfig) and read == as_in_pods(config)
    runs = {run.stage.name: run for run in stage_runs(read)}
    assert runs["zero"].folder == Path("/runs/r1/stages/zero")
    assert runs["zero"].config.cluster.threads == 2  # the nano model's
    assert runs["distill"].config.cluster.threads == 12


def test_all_cores_are_those_of_a_pod() -> None:
    # Two reward actors and so on need one CPU each; the nano model's scale file says two threads.
    assert (
        as_in_pods(load(*PLAIN, "cluster.threads=0", "cluster.pod_cpus=12")).cluster.threads == 12
    )
    assert as_in_pods(load(*PLAIN, "cluster.threads=3", "cluster.pod_cpus=12")).cluster.threads == 3


def test_names_of_jobs_come_from_the_run_folder() -> None:
    assert job_name(load(*PLAIN)) == "r1-zero-nano-v3"
    assert job_name(load(*PLAIN, "run_dir=/a/b/Some.Run_1")) == "some-run-1"


def test_tolerations_are_written_as_taints() -> None:
    exists = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert toleration("nvidia.com/gpu:NoSchedule") == exists
    equal = {"key": "team", "operator": "Equal", "value": "rl", "effect": "NoExecute"}
    assert toleration("team=rl:NoExecute") == equal


def write() -> None:
    """Write the golden files: python -m tests.unit.launch.backends.test_rayjob."""
    for name, words in GOLDEN.items():
        manifest = rayjob(load(*words))
        head_variables(manifest)[-1]["value"] = "..."
        (FOLDER / f"{name}.yaml").write_text(to_text(manifest))


if __name__ == "__main__":
    write()
