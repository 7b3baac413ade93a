"""kill -9 of everything at random moments of a pipeline, and the same command again: the same
table."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from launch.manifest import read_manifest
from recipes.r1 import STAGES
from tests.faults.harness import SMALL_PIPELINE, leftover_processes

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(3 * 3600)]


@dataclass(frozen=True, slots=True)
class Case:
    words: tuple[str, ...]
    kills: int
    expected_s: float
    """About how long it takes on two cores: kills are spread over it."""
    stages: int


SMALL = Case(SMALL_PIPELINE, kills=4, expected_s=120.0, stages=3)
WHOLE = Case(("r1",), kills=10, expected_s=900.0, stages=len(STAGES))


def start(folder: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """As a user does, in a process group of its own."""
    log = folder.with_suffix(".log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "launch.cli", "run", *words, f"run_dir={folder}"],
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def killed_often(folder: Path, case: Case, rng: random.Random) -> int:
    """Run the pipeline to its end; how many of its lives were killed."""
    kills = 0
    while kills < case.kills:
        process = start(folder, case.words)
        try:
            assert process.wait(rng.uniform(5.0, 2 * case.expected_s / case.kills)) == 0
            return kills  # it was done before the next kill
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        time.sleep(1.0)
    assert start(folder, case.words).wait() == 0
    return kills


def products(folder: Path) -> dict[str, str]:
    """Stage -> hash of what it made."""
    found = {stage.name: read_manifest(folder / "stages" / stage.name) for stage in STAGES}
    return {name: each.product for name, each in found.items() if each and each.complete}


@pytest.mark.parametrize("case", [SMALL, WHOLE], ids=["small", "whole"])
def test_kills_end_with_the_same_table(case: Case, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole, case.words).wait() == 0
    seed = int(os.environ.get("FAULTS_SEED", "1"))
    kills = killed_often(broken, case, random.Random(seed))
    assert kills > case.kills // 2, "hardly anything was killed"
    table, expected = (
        json.loads((each / "stages" / "evaluation" / "measures.json").read_text())
        for each in (broken, whole)
    )
    assert table == expected
    assert products(broken) == products(whole) and len(products(whole)) == case.stages
    assert not leftover_processes(broken)
