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

from launch.claims_runs import Measures, language, pass_at_1, worth
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
WHOLE = Case(("r1",), kills=10, expected_s=1500.0, stages=len(STAGES))


def exit_code(folder: Path, words: Sequence[str], timeout_s: float | None = None) -> int | None:
    """Of a pipeline as a user starts it, in a process group of its own, which is killed with
    SIGKILL where it has not ended: after the given time (None is returned), or when the test is
    broken off."""
    with folder.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "launch.cli", "run", *words, f"run_dir={folder}"],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def killed_often(folder: Path, case: Case, rng: random.Random) -> int:
    """Run the pipeline to its end; how many of its lives were killed."""
    for kills in range(case.kills):
        code = exit_code(folder, case.words, rng.uniform(5.0, 2 * case.expected_s / case.kills))
        if code is not None:
            assert code == 0
            return kills  # it was done before the next kill
        time.sleep(1.0)
    assert exit_code(folder, case.words) == 0
    return case.kills


def products(folder: Path) -> dict[str, str]:
    """Stage -> hash of what it made."""
    found = {stage.name: read_manifest(folder / "stages" / stage.name) for stage in STAGES}
    return {name: each.product for name, each in found.items() if each and each.complete}


@pytest.mark.parametrize("case", [SMALL, WHOLE], ids=["small", "whole"])
def test_kills_end_with_the_same_table(case: Case, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert exit_code(whole, case.words) == 0
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
    if case is WHOLE:
        check_what_r1_is_worth(table)


def check_what_r1_is_worth(table: Measures) -> None:
    r1 = table["rl_all"]
    assert pass_at_1(r1) >= 0.85
    assert language(r1) >= 0.98 and r1["nano"]["format"] >= 0.98
    assert worth(r1) > worth(table["sft_800k"])
    assert pass_at_1(table["distill"]) > pass_at_1(table["student_rl"])
