"""Fine-tuning: kill -9, the same command again, the same weights and metrics, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch.trackers import read_metrics
from tests.faults.harness import LIMIT_S, final_sha256, finish, leftover_processes

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]

TINY = (
    "model=nano_v3",
    "model.pretrain_steps=2",
    "data.heldout_rows=8",
    "data.max_tokens=64",
    "recipe.batch_size=8",
    "recipe.epochs=2",
    "recipe.checkpoint_every=3",
    "recipe.eval_every=4",
    "learner.row_tokens=128",
    "learner.ranks=1",
)


def rows(folder: Path) -> Path:
    """40 good rows and a bad one."""
    path = folder / "rows.jsonl"
    good = [{"prompt": f"User:{i}+1 Assistant:", "completion": f"={i + 1}"} for i in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*good, {"prompt": "?"}]))
    return path


def start(run_dir: Path, cache_dir: Path, data: Path) -> subprocess.Popen[str]:
    words = [*TINY, f"run_dir={run_dir}", f"model.cache_dir={cache_dir}", f"data.path={data}"]
    return subprocess.Popen(
        [sys.executable, "-m", "launch.cli", "run", "sft", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for_step(run_dir: Path, process: subprocess.Popen[str], step: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while len(read_metrics(run_dir / "metrics.jsonl")) < step:
        assert process.poll() is None, f"ended too early:\n{process.communicate()[0]}"
        assert time.monotonic() < deadline, f"no step {step} within {LIMIT_S} s"
        time.sleep(0.01)


def learnt(run_dir: Path) -> list[dict[str, float]]:
    """The metrics without what depends on the clock and the machine."""
    lines = read_metrics(run_dir / "metrics.jsonl")
    return [
        {name: value for name, value in line.items() if not name.startswith(("timing_s", "perf"))}
        for line in lines
    ]


def wait_until_gone(run_dir: Path) -> None:
    """The last processes of a run whose driver was killed."""
    deadline = time.monotonic() + 60
    while leftover_processes(run_dir):
        assert time.monotonic() < deadline, leftover_processes(run_dir)
        time.sleep(0.2)


def test_a_killed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    data, cache_dir = rows(tmp_path), tmp_path / "cache"
    whole = finish(start(tmp_path / "whole", cache_dir, data))
    assert whole.exit_code == 0, whole.output
    assert "1 neither messages nor prompt and completion" in whole.output

    broken = tmp_path / "broken"
    process = start(broken, cache_dir, data)
    wait_for_step(broken, process, 4)  # the checkpoint is that of step 3
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)
    wait_until_gone(broken)
    done = finish(start(broken, cache_dir, data))
    assert done.exit_code == 0, done.output

    assert final_sha256(broken) == final_sha256(tmp_path / "whole")
    assert learnt(broken) == learnt(tmp_path / "whole")
    assert [line["step"] for line in learnt(broken)] == list(range(1, 9))
    losses = [json.loads(p.read_text()) for p in sorted((broken / "eval").glob("*.json"))]
    assert [loss["version"] for loss in losses] == [0, 4, 8]
    assert losses[0]["loss"] > losses[1]["loss"] > losses[2]["loss"]
    assert not leftover_processes(broken)
