"""A stand-in for a cluster, and the real kubectl that talks to it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kubernetes.api import Server, api_server
from tests.kubernetes.crd import skip_without_crds

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """kubectl finds it through KUBECONFIG, as users' kubectl finds their cluster."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    skip_without_crds()
    with api_server(tmp_path) as (running, kubeconfig):
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        # kubectl keeps what it has discovered below the home folder.
        monkeypatch.setenv("KUBECACHEDIR", str(tmp_path / "kubecache"))
        yield running


@pytest.fixture
def kubectl(server: Server) -> Kubectl:
    def run(*words: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", *words],
            input=input,
            capture_output=True,
            text=True,
            timeout=30,
            env=os.environ,
        )

    return run
