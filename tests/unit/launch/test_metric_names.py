"""The table of metric names knows what a run logs, and nothing else."""

from __future__ import annotations

import fnmatch
import json

import pytest

from launch.cli import main
from launch.dashboard import EVALUATIONS
from launch.metric_names import METRICS
from launch.page.curves import CHARTS

DRAWN = {pattern for chart in (*CHARTS, *EVALUATIONS) for pattern in chart.series.values()}


def same(one: str, other: str) -> bool:
    return fnmatch.fnmatch(one, other) or fnmatch.fnmatch(other, one)


def test_every_drawn_metric_is_explained_and_the_other_way_round() -> None:
    names = {metric.name for metric in METRICS}
    assert [each for each in DRAWN if not any(same(each, name) for name in names)] == []
    assert [each for each in names if not any(same(each, drawn) for drawn in DRAWN)] == ["data/*"]


def test_a_name_that_verl_has_too_means_the_same_there() -> None:
    for metric in METRICS:
        if metric.name.startswith(("critic/", "response_length/", "timing_s/gen")):
            assert metric.verl == metric.name
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_command_prints_all_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(METRICS) + 1 and max(map(len, lines)) < 160
    (line,) = [line for line in lines if line.startswith("response_length/clip_ratio")]
    assert line.split()[-2:] == ["response_length/clip_ratio", "completions/clipped_ratio"]
    assert main(["metrics", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["trl"] == "reward"
