"""Runs that must stop by themselves: weights that did not arrive, a disk that is full."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import LIMIT_S, TINY, final_sha256, finish, leftover_processes, start

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

EXIT_USER, EXIT_CANARY = 2, 3

STALE_WEIGHTS = """
import sys
from launch import cli
from launch.transfer import ObjectStoreTransfer

def send_the_first_weights_again(self, version, samplers, kept=[]):
    samplers.each("begin_update")
    kept[:] = kept or list(self._learner.export())
    for chunk in kept:
        samplers.each("receive", chunk)
    samplers.each("finish_update", version)

ObjectStoreTransfer.__call__ = send_the_first_weights_again
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_stale_weights_stop_the_run_before_anything_is_trained_on_them(
    tmp_path: Path, cache_dir: Path
) -> None:
    run_dir = tmp_path / "stale"
    words = ["run", "r1_zero", *TINY, f"run_dir={run_dir}", f"model.cache_dir={cache_dir}"]
    done = subprocess.run(
        [sys.executable, "-c", STALE_WEIGHTS, *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == EXIT_CANARY, done.stdout + done.stderr
    assert "Nothing was trained on completions of these weights" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    # Step 0 sampled with the first weights, which are right; step 1 would have been stale.
    assert len((run_dir / "metrics.jsonl").read_text().splitlines()) == 1
    assert not leftover_processes(run_dir)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with a disk of its own that holds less than one checkpoint."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a small disk needs the right to mount one: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    tmp_path: Path, cache_dir: Path, small_disk: Path
) -> None:
    whole = finish(start(tmp_path / "whole", cache_dir))
    assert whole.exit_code == 0, whole.output
    run_dir = small_disk / "run"
    full = finish(start(run_dir, cache_dir))
    assert full.exit_code == EXIT_USER, full.output
    (line,) = [line for line in full.output.splitlines() if line.startswith("error: ")]
    assert str(run_dir) in line and "space" in line, line
    assert "Traceback" not in full.output
    assert not list((run_dir / "checkpoints").glob("step-*")), "a checkpoint that is not whole"
    subprocess.run(["mount", "-o", "remount,size=900m", str(small_disk)], check=True)
    done = finish(start(run_dir, cache_dir))
    assert done.exit_code == 0, done.output
    assert final_sha256(run_dir) == final_sha256(tmp_path / "whole")
