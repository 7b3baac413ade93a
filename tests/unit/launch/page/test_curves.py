"""Which curves are drawn, and with which numbers."""

from __future__ import annotations

from itertools import pairwise
from math import inf, nan

from launch.page.curves import CHARTS, MAX_POINTS, Chart, columns, drawn, kept_steps


def test_columns_have_a_hole_where_a_value_is_missing_or_not_finite() -> None:
    lines = [
        {"step": 1, "a": 1.23456789, "b": nan, "c": nan},
        {"step": 2, "a": inf, "c": -inf},
        {"step": 3, "a": -1e-9, "b": 0.0},
    ]
    assert columns(lines) == {"a": [1.23457, None, -1e-09], "b": [None, None, 0.0]}
    assert columns([]) == {}


def test_long_runs_are_thinned_evenly_and_keep_the_last_step() -> None:
    assert kept_steps(0) == []
    assert kept_steps(5) == [0, 1, 2, 3, 4]
    kept = kept_steps(2 * MAX_POINTS + 1)
    assert kept[-1] == 2 * MAX_POINTS
    assert {b - a for a, b in pairwise(kept)} == {3}
    assert len(kept_steps(2 * MAX_POINTS)) == MAX_POINTS


def test_patterns_become_labelled_series_without_those_that_stay_zero() -> None:
    chart = Chart("g", "t", {"good": "o/good", "*": "o/*"}, "share")
    metrics = {"o/good": [0.0], "o/no_answer": [0.1], "o/timeout": [0.0, 0.0]}
    (entry,) = drawn(metrics, [chart])
    assert entry["series"] == [["good", "o/good"], ["no answer", "o/no_answer"]]


def test_a_chart_without_data_is_left_out_and_a_metric_without_chart_is_drawn() -> None:
    entries = drawn({"new/part/x": [1.0]}, [Chart("g", "t", {"a": "a"}, "u")])
    assert [(entry["group"], entry["title"], entry["series"]) for entry in entries] == [
        ("Other", "new/part/x", [["x", "new/part/x"]])
    ]


def test_new_parts_of_the_reward_join_their_chart() -> None:
    entries = drawn({"reward/language/mean": [0.5], "reward/accuracy/mean": [0.1]})
    (parts,) = [entry for entry in entries if entry["title"] == "Parts of the reward"]
    assert ["language", "reward/language/mean"] in parts["series"]
    assert not [entry for entry in entries if entry["group"] == "Other"]


def test_of_many_series_the_highest_are_drawn() -> None:
    metrics = {f"m/{rank}": [float(rank % 50), None] for rank in range(64)}
    (entry,) = drawn(metrics, [Chart("g", "t", {"*": "m/*"}, "GiB")])
    assert [label for label, _ in entry["series"]] == [str(rank) for rank in range(42, 50)]


def test_titles_are_told_apart() -> None:
    titles = [chart.title for chart in CHARTS]
    assert len(set(titles)) == len(titles)
