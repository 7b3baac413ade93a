"""Two runs side by side, with numbers by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from launch.cli import main
from launch.compare import SPARK_WIDTH, compare, compare_runs
from rl.records import Outcome
from tests.run_folders import RIGHT, WRONG, group, make_run, sample

RISING = [{"step": i, "critic/score/mean": i / 10, "only/here": 1.0} for i in range(1, 21)]
FLAT = [{"step": i, "critic/score/mean": 0.5} for i in range(1, 11)]


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    wrong, right = sample(WRONG, Outcome.WRONG), sample(RIGHT)
    same = group("b", [wrong, wrong])
    before, after = [group("a", [wrong, wrong]), same], [group("a", [right, wrong]), same]
    first = make_run(tmp_path / "rising", metrics=RISING, evaluations={0: before, 20: after})
    second = make_run(tmp_path / "flat", metrics=FLAT, evaluations={0: before}, advantage="mean")
    for run in (first, second):
        settings = yaml.safe_load((run / "config.yaml").read_text())
        (run / "config.yaml").write_text(yaml.safe_dump({**settings, "run_dir": str(run)}))
    return first, second


def test_only_settings_that_differ_and_not_the_folder(runs: tuple[Path, Path]) -> None:
    assert compare_runs(*runs)["settings"] == {"algorithm.advantage": ["mean_std", "mean"]}
    assert compare_runs(runs[0], runs[0])["settings"] == {}


def test_metrics_are_means_of_the_last_five_steps(runs: tuple[Path, Path]) -> None:
    rising, flat = compare_runs(*runs)["metrics"]["critic/score/mean"]
    assert rising["last"] == pytest.approx(1.8)
    assert (rising["first"], rising["lowest"], rising["highest"]) == (0.1, 0.1, 2.0)
    assert flat["last"] == 0.5 and flat["curve"] == [0.5] * 10
    assert len(rising["curve"]) == SPARK_WIDTH
    assert rising["curve"] == sorted(rising["curve"])
    assert compare_runs(*runs)["metrics"]["only/here"][1] is None


def test_first_and_last_evaluation(runs: tuple[Path, Path]) -> None:
    found = compare_runs(*runs)["evaluations"]
    assert [(e["step"], e["pass_at_1"]) for e in found[0]] == [(0, 0.0), (20, 0.25)]
    assert [(e["step"], e["pass_at_1"]) for e in found[1]] == [(0, 0.0)]


@pytest.mark.parametrize("width", [80, 120])
def test_what_a_person_reads(runs: tuple[Path, Path], width: int) -> None:
    out = io.StringIO()
    assert compare(*runs, as_json=False, console=Console(file=out, width=width)) == 0
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert ["algorithm.advantage", "mean_std", "mean"] in lines
    assert ["pass_at_1", "0", "->", "0.25", "0"] in lines
    (score,) = [line for line in lines if line[:1] == ["critic/score/mean"]]
    assert score[1:4] == ["1.8", "0.5", "-72%"]
    # 0.1 to 2.0 and 0.5, on one scale.
    assert score[4][0] == "▁" and score[4][-1] == "█" and set(score[5]) == {"▂"}
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_fine_tuning_has_held_out_losses(tmp_path: Path) -> None:
    run = make_run(tmp_path / "sft")
    for step, loss in ((0, 3.0), (5, 2.0), (9, 1.5)):
        result = {"version": step, "sequences": 8, "loss_tokens": 80, "loss": loss}
        (run / "eval" / f"loss-{step:06d}.json").write_text(json.dumps(result))
    found = compare_runs(run, run)["evaluations"][0]
    assert [(each["step"], each["heldout/loss"]) for each in found] == [(0, 3.0), (9, 1.5)]


def test_json_and_a_folder_that_is_no_run(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, runs), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == [20, 10]
    assert main(["compare", str(runs[0]), str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: not a run folder")
