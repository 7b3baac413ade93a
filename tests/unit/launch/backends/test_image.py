"""The image for pods has what KubeRay and the manifest expect in it. It is not built here."""

from __future__ import annotations

import re
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from launch.backends.rayjob import ENTRYPOINT, RAY_VERSION, USER

LAUNCH = Path(__file__).parents[4] / "launch"


def test_one_version_of_ray() -> None:
    assert version("ray") == RAY_VERSION
    assert re.findall(r"ray\[default\]==([\d.]+)", (LAUNCH / "Dockerfile").read_text()) == [
        RAY_VERSION
    ]


def test_the_job_server_of_ray_has_all_it_needs() -> None:
    lists = ("requirements-cpu.txt", "requirements-kubernetes.txt")
    lines = [line for name in lists for line in (LAUNCH / name).read_text().splitlines()]
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines if "==" in line}
    needed = [Requirement(line) for line in requires("ray") or []]
    job_server = {
        canonicalize_name(each.name)
        for each in needed
        if each.marker is not None and each.marker.evaluate({"extra": "default"})
    }
    assert "aiohttp-cors" in job_server
    assert job_server <= pinned


def test_the_image_runs_as_the_user_of_the_manifest() -> None:
    text = (LAUNCH / "Dockerfile").read_text()
    assert f"USER {USER}:{USER}" in text
    folder = LAUNCH.parent
    module = ENTRYPOINT.removeprefix("python -m ")
    assert (folder / f"{module.replace('.', '/')}.py").is_file()
