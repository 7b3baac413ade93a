"""`launch eval` as a user gives it: the same scores again, after a kill too, and no mixing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from launch.cli import main
from recipes.nano_tokenizer import build_tokenizer
from tests.faults.harness import leftover_processes
from tests.models import save_tiny_deepseek

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

WAVES = 6
PROBLEMS, SAMPLES = 24, 4
WORDS = (
    "benchmark=nano",
    "template=r1_zero",
    f"data.problems={PROBLEMS}",
    f"samples={SAMPLES}",
    "max_tokens=40",
    "temperature=1.0",
    "engine.dtype=float32",
    "engine.samplers=2",
    f"engine.wave_samples={PROBLEMS * SAMPLES // WAVES}",
    "engine.kv_cache_gib=0.25",
)
LIMIT_S = 300


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_tiny_deepseek(tmp_path_factory.mktemp("model"))
    build_tokenizer().save_pretrained(folder)
    return folder


def arguments(model: Path, run_dir: Path, *words: str) -> list[str]:
    return ["eval", str(model), *WORDS, f"run_dir={run_dir}", *words]


def start(model: Path, run_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "launch.cli", *arguments(model, run_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, output
    return output


def samples(run_dir: Path) -> list[dict[str, Any]]:
    return pq.read_table(run_dir / "samples" / "nano").to_pylist()


def result(run_dir: Path) -> dict[str, Any]:
    return json.loads((run_dir / "eval" / "nano.json").read_text())


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    finish(start(model, run_dir))
    return run_dir


def test_every_sample_is_kept_and_measured(whole: Path) -> None:
    rows = samples(whole)
    assert [(row["problem"], row["sample"]) for row in rows] == [
        (f"nano-{problem}", sample) for problem in range(PROBLEMS) for sample in range(SAMPLES)
    ]
    assert len({row["text"] for row in rows}) > PROBLEMS
    measures = result(whole)["measures"]
    assert measures["mean_tokens"] == sum(row["tokens"] for row in rows) / len(rows)
    correct = sum(row["outcome"] == "correct" for row in rows)
    assert measures["pass_at"]["1"]["value"] == pytest.approx(correct / len(rows))
    assert sum(measures["outcomes"].values()) == len(rows)


def test_killed_in_the_middle_it_ends_with_the_same_samples(
    model: Path, whole: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "broken"
    waves = run_dir / "samples" / "nano"
    process = start(model, run_dir)
    deadline = time.monotonic() + LIMIT_S
    while not (waves / "0001.parquet").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "no second wave"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {path.name: path.stat().st_mtime_ns for path in waves.glob("*.parquet")}
    assert 2 <= len(kept) < WAVES
    assert result(run_dir)["measures"] is None
    finish(start(model, run_dir))
    assert {name: (waves / name).stat().st_mtime_ns for name in kept} == kept
    assert samples(run_dir) == samples(whole)
    assert result(run_dir)["measures"] == result(whole)["measures"]
    assert not leftover_processes(run_dir)


def test_a_finished_benchmark_is_not_repeated(
    model: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = result(whole)
    assert main(arguments(model, whole)) == 0
    assert "nano world" in capsys.readouterr().out
    assert result(whole) == before
    assert [path.name for path in (whole / "logs").iterdir()] == ["attempt-1"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("seed=1", "settings.seed: 0 there, 1 now"),
        ("samples=8", "settings.samples: 4 there, 8 now"),
        ("data.problems=25", "data.problems: 24 there, 25 now"),
    ],
)
def test_other_settings_on_the_same_folder_are_refused(
    model: Path, whole: Path, word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(model, whole, word)) == 2
    assert said in capsys.readouterr().err


def test_another_model_on_the_same_folder_is_refused(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save_tiny_deepseek(tmp_path / "other", seed=1)
    build_tokenizer().save_pretrained(other)
    assert main(arguments(other, whole)) == 2
    assert "model_sha256" in capsys.readouterr().err


def test_too_many_tokens_for_the_model_are_refused_before_anything_starts(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(model, tmp_path / "x", "max_tokens=505")) == 2
    assert "that is more than the model's 512 positions; at most max_tokens=" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "x").exists()
