"""kill -9 anything, run the same command again: the same final weights, bit for bit."""

from __future__ import annotations

import fnmatch
import os
import random
from pathlib import Path

import pytest

from launch.metric_names import METRICS
from launch.trackers import read_metrics
from tests.faults.harness import (
    final_sha256,
    finish,
    generated_waves,
    interrupted_run,
    leftover_processes,
    start,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

ROLES = ("driver", "sampler 0", "learner rank 0", "learner rank 1", "reward actor 0")
RUNS = 20
EXIT_WORKER_LOST = 86
KILLED = -9
TWO_RANKS = {"learner.ranks": "2", "learner.zero_stage": "3", "learner.expert_parallel": "2"}


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def uninterrupted(folder: Path, cache_dir: Path, options: dict[str, str]) -> str:
    whole = finish(start(folder, cache_dir, *(f"{k}={v}" for k, v in options.items())))
    assert whole.exit_code == 0, whole.output
    check_metrics(read_metrics(folder / "metrics.jsonl"))
    return final_sha256(folder)


def check_metrics(lines: list[dict[str, float]]) -> None:
    """Every metric of a real run is explained, and the phases of each step add up to it."""
    for line in lines:
        for name in line.keys() - {"step"}:
            assert any(fnmatch.fnmatch(name, metric.name) for metric in METRICS), name
        step_s = line["timing_s/step"]
        phases_s = sum(s for name, s in line.items() if name.startswith("timing_s/")) - step_s
        assert 0.95 * step_s < phases_s <= step_s, "some of the step is in no phase"


def journalled_waves(names: set[str]) -> set[tuple[int, int]]:
    """(step, wave) of journal files."""
    return {(int(name.split("-")[0]), int(name.split("-")[1])) for name in names}


def continue_to_the_end(folder: Path, cache_dir: Path, options: dict[str, str]) -> None:
    done = finish(start(folder, cache_dir, *(f"{k}={v}" for k, v in options.items())))
    assert done.exit_code == 0, done.output


def test_killed_driver_and_killed_sampler_end_with_the_same_bits(
    tmp_path: Path, cache_dir: Path
) -> None:
    rng = random.Random(0)
    expected = uninterrupted(tmp_path / "whole", cache_dir, {})
    broken = tmp_path / "broken"
    first, journal_1 = interrupted_run(broken, cache_dir, "driver", waves=1, rng=rng)
    assert first.exit_code == KILLED
    # A new sampler takes the place of the dead one, and the run goes on. It dies in the middle of a
    # step's two waves: while weights are sent, its death would end the attempt.
    second, _ = interrupted_run(broken, cache_dir, "sampler 0", waves=5, rng=rng, within_s=0.0)
    assert second.exit_code == 0, second.output
    log = (broken / "logs" / "attempt-2" / "driver.log").read_text()
    assert log.count("a new one is started in its place") == 1
    assert final_sha256(broken) == expected
    assert not generated_waves(broken, 2) & journalled_waves(journal_1)
    assert not leftover_processes(broken)


def test_a_run_whose_generation_is_ahead_ends_with_the_same_bits(
    tmp_path: Path, cache_dir: Path
) -> None:
    """Killed while the second half of it is under way: a step is trained on with completions of
    the policy before, and after a restart with the same ones."""
    options = {"rollout.max_staleness": "1"}
    expected = uninterrupted(tmp_path / "whole", cache_dir, options)
    lines = read_metrics(tmp_path / "whole" / "metrics.jsonl")
    assert [line["rollout/staleness"] for line in lines] == [0.0, 2.0, 2.0, 2.0]
    broken = tmp_path / "broken"
    first, journal = interrupted_run(
        broken, cache_dir, "driver", waves=5, rng=random.Random(0), **options
    )
    assert first.exit_code == KILLED
    continue_to_the_end(broken, cache_dir, options)
    assert final_sha256(broken) == expected
    assert not generated_waves(broken, 2) & journalled_waves(journal)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("options", [{}, TWO_RANKS], ids=["one-rank", "zero3-ep2"])
def test_random_kills_end_with_the_same_bits(
    tmp_path: Path, cache_dir: Path, options: dict[str, str]
) -> None:
    rng = random.Random(int(os.environ.get("FAULTS_SEED", "1")))
    expected = uninterrupted(tmp_path / "whole", cache_dir, options)
    roles = [role for role in ROLES if role != "learner rank 1" or options]
    for run in range(RUNS // 2):
        broken = tmp_path / f"broken-{run}"
        role, waves = roles[run % len(roles)], rng.randint(0, 7)
        attempt, journal = interrupted_run(broken, cache_dir, role, waves=waves, rng=rng, **options)
        print(f"run {run}: killed {role} after {waves} waves, exit code {attempt.exit_code}")
        if attempt.exit_code != 0:
            continue_to_the_end(broken, cache_dir, options)
            assert not generated_waves(broken, 2) & journalled_waves(journal)
        assert final_sha256(broken) == expected
