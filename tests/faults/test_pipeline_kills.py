"""kill -9 of everything, ten times, at random moments of the whole pipeline: the same table."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch.manifest import read_manifest
from recipes.r1 import STAGES
from tests.faults.harness import leftover_processes

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(3 * 3600)]

KILLS = 10
EXPECTED_S = 900.0
"""About how long the pipeline takes on two cores: kills are spread over it."""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """As a user does, in a process group of its own."""
    log = folder.with_suffix(".log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "launch.cli", "run", "r1", f"run_dir={folder}"],
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def killed_often(folder: Path, rng: random.Random) -> int:
    """Run the pipeline to its end; how many of its lives were killed."""
    kills = 0
    while kills < KILLS:
        process = start(folder)
        try:
            assert process.wait(rng.uniform(5.0, 2 * EXPECTED_S / KILLS)) == 0
            return kills  # it was done before the next kill
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        time.sleep(1.0)
    assert start(folder).wait() == 0
    return kills


def products(folder: Path) -> dict[str, str]:
    """Stage -> hash of what it made."""
    found = {stage.name: read_manifest(folder / "stages" / stage.name) for stage in STAGES}
    return {name: each.product for name, each in found.items() if each and each.complete}


def test_ten_kills_end_with_the_same_table(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole).wait() == 0
    seed = int(os.environ.get("FAULTS_SEED", "1"))
    kills = killed_often(broken, random.Random(seed))
    assert kills > KILLS // 2, "hardly anything was killed"
    table, expected = (
        json.loads((each / "stages" / "evaluation" / "measures.json").read_text())
        for each in (broken, whole)
    )
    assert table == expected
    assert products(broken) == products(whole) and len(products(whole)) == len(STAGES)
    assert not leftover_processes(broken)
