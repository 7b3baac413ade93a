"""The RayJob schema of KubeRay's CRD, as strict as an API server asked for strict validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

CRDS = Path(__file__).parents[3] / "shared" / "kuberay-crds"
RAYJOBS = CRDS / "ray.io_rayjobs.yaml"

# The CEL rules that stand in the parts of the CRD which are used, by their text.
_RULES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "!((has(self.onSuccess) || has(self.onFailure)) && has(self.deletionRules))": lambda own: (
        not (("onSuccess" in own or "onFailure" in own) and "deletionRules" in own)
    ),
    "((has(self.onSuccess) && has(self.onFailure)) || has(self.deletionRules))": lambda own: (
        ("onSuccess" in own and "onFailure" in own) or "deletionRules" in own
    ),
    "!(has(self.jobStatus) && has(self.jobDeploymentStatus))": lambda own: (
        not ("jobStatus" in own and "jobDeploymentStatus" in own)
    ),
    "has(self.jobStatus) || has(self.jobDeploymentStatus)": lambda own: (
        "jobStatus" in own or "jobDeploymentStatus" in own
    ),
}


def skip_without_crds() -> None:
    if not RAYJOBS.is_file():
        pytest.skip(f"the CRDs of KubeRay are not there: {RAYJOBS}")


@cache
def rayjob_schema() -> dict[str, Any]:
    """JSON Schema of ray.io/v1 RayJob; unknown fields are errors."""
    crd = yaml.load(RAYJOBS.read_text(), yaml.CSafeLoader)
    (version,) = [each for each in crd["spec"]["versions"] if each["name"] == "v1"]
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return _strict(schema)


def problems(manifest: dict[str, Any]) -> list[str]:
    """What the API server would complain about: one "path: message" each."""
    schema = rayjob_schema()
    found = [
        f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message}"
        for error in _validator().iter_errors(manifest)
    ]
    return found + list(_broken_rules(manifest, schema, ""))


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(rayjob_schema())


def _strict(node: Any) -> Any:
    """OpenAPI's dialect in CRDs to JSON Schema, closed."""
    if isinstance(node, list):
        return [_strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: _strict(value) for key, value in node.items() if key != "description"}
    if node.get("x-kubernetes-int-or-string"):
        node = {"type": ["integer", "string"]}
    if "properties" in node and "additionalProperties" not in node and "type" in node:
        node["additionalProperties"] = bool(node.get("x-kubernetes-preserve-unknown-fields"))
    if node.get("nullable") and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
    return node


def _broken_rules(value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", []):
        if not _RULES[rule["rule"]](value):
            yield f"{path}: {rule['message']}"
    if isinstance(value, dict):
        for key, below in schema.get("properties", {}).items():
            if key in value:
                yield from _broken_rules(value[key], below, f"{path}.{key}".lstrip("."))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _broken_rules(each, schema.get("items", {}), f"{path}.{index}")
