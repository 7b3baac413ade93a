"""A SLURM of two nodes on this machine, each with a network and processes of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "shared" / "slurm_local.sh"
LIMIT_S = 420
"""Longest wait for anything; other tests may keep the machine busy."""


class SlurmCluster:
    """The running cluster; SLURM's commands find it through the environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._knobs = {"SLURM_LOCAL_DIR": str(folder), "NODES": "2", "GPUS_PER_NODE": "0"}
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "etc" / "slurm.conf"),
            # Several object stores share this machine's memory.
            "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": "200000000",
        }

    def script(self, action: str) -> subprocess.CompletedProcess[str]:
        """One action of slurm_local.sh; start brings back a node that was killed."""
        # Not captured: daemons inherit the descriptors, and nobody would ever see their end.
        log = self._folder / f"{action}.out"
        with log.open("w") as file:
            done = subprocess.run(
                ["bash", str(SCRIPT), action],
                env=os.environ | self._knobs,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=180,
            )
        return subprocess.CompletedProcess(done.args, done.returncode, log.read_text(), "")

    def command(self, *words: str) -> str:
        """Output of one of SLURM's commands."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def kill_node(self, node: str) -> None:
        """As if the power went: every process on it, at once."""
        os.kill(int((self._folder / "run" / f"slurmd-{node}.pid").read_text()), signal.SIGKILL)

    def elapsed_s(self, job: str) -> int:
        """Seconds of the job's present life."""
        minutes, seconds = self.command("squeue", "-h", "-j", job, "-o", "%M").split(":")
        return int(minutes) * 60 + int(seconds)


@contextmanager
def running_cluster() -> Iterator[SlurmCluster]:
    """Skips the test with a clear line where there can be none."""
    if not SCRIPT.is_file():
        pytest.skip(f"a SLURM on this machine needs {SCRIPT}, which is not there")
    if os.geteuid() != 0:
        pytest.skip("a SLURM on this machine needs root, for network namespaces")
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    cluster = SlurmCluster(folder)
    installed = cluster.script("install")
    if installed.returncode != 0 or not shutil.which("slurmctld"):
        shutil.rmtree(folder)
        pytest.skip(f"SLURM cannot be installed here: {installed.stdout.strip()[-300:]}")
    # Inside a network namespace SLURM cannot find out by itself which version there is.
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        (folder / "etc").mkdir()
        (folder / "etc" / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    try:
        started = cluster.script("start")
        assert started.returncode == 0, started.stdout
        yield cluster
    finally:
        cluster.script("stop")
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(what: str, true: Callable[[], bool], explain: Callable[[], str]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {LIMIT_S} s\n{explain()}"
        time.sleep(0.3)
