"""Alarms on numbers by hand, and none on the metrics of a real run that learns."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from launch.alarms import WINDOW, Alarm, Line, alarms, episodes, silence, stall_limit_s
from launch.trackers import read_metrics

HEALTHY = read_metrics(Path(__file__).with_name("healthy_nano_run.jsonl"))
"""Steps of `launch run` as the README starts it; the columns that alarms look at."""


def changed(last: int, **values: float) -> list[Line]:
    """The healthy run with these values ("__" for "/") in its last steps."""
    new = {name.replace("__", "/"): value for name, value in values.items()}
    return [*HEALTHY[:-last], *({**line, **new} for line in HEALTHY[-last:])]


def names(history: list[Line]) -> list[str]:
    return [alarm.name for alarm in alarms(history)]


def text(history: list[Line]) -> str:
    (alarm,) = alarms(history)
    return alarm.text


def test_a_run_that_learns_raises_no_alarm_at_any_step() -> None:
    assert len(HEALTHY) >= 2 * WINDOW
    assert episodes(HEALTHY) == []


def test_dead_groups_need_a_flat_reward_and_ten_steps() -> None:
    dead = {"group__zero_std_frac": 0.9, "critic__score__mean": 0.1}
    assert names(changed(10, **dead)) == ["dead_groups"]
    assert names(changed(9, **dead)) == []
    assert names(changed(10, group__zero_std_frac=0.9, critic__score__mean=0.1)[:-3]) == []
    assert names(changed(10, **{**dead, "group__zero_std_frac": 0.79})) == []
    # The reward, between 0 and 2, rises by 0.095 from one half to the other.
    rising = [
        {**line, "critic/score/mean": 0.1 + 0.019 * i}
        for i, line in enumerate(changed(10, **dead)[-10:])
    ]
    assert names([*HEALTHY[:-10], *rising]) == ["dead_groups"]
    rising = [{**line, "critic/score/mean": 0.1 + 0.03 * i} for i, line in enumerate(rising)]
    assert names([*HEALTHY[:-10], *rising]) == []


def test_dead_groups_say_whether_the_problems_are_too_easy_or_too_hard() -> None:
    dead = {"group__zero_std_frac": 0.9, "critic__score__mean": 2.0}
    easy = text(changed(10, **dead, group__all_right=0.9, group__all_wrong=0.0))
    hard = text(changed(10, **dead, group__all_right=0.0, group__all_wrong=0.9))
    assert easy.startswith("90% of the groups have equal rewards") and "too easy" in easy
    assert "too hard" in hard and "too easy" not in hard


def test_steps_without_any_verdict_do_not_hide_the_rest() -> None:
    bare = [{"step": 99.0, "response_length/clip_ratio": 0.9, "response_length/mean": 48.0}] * 10
    assert names([*HEALTHY, *bare]) == ["length_clipping"]


@pytest.mark.parametrize(
    ("name", "metric", "over", "under"),
    [
        ("length_clipping", "response_length__clip_ratio", 0.31, 0.29),
        ("entropy_collapse", "actor__entropy", 0.019, 0.021),
        ("mismatch_growing", "rollout__mismatch_kl", 0.0011, 0.0009),
    ],
)
def test_a_value_out_of_bounds_for_five_steps(
    name: str, metric: str, over: float, under: float
) -> None:
    assert names(changed(5, **{metric: over})) == [name]
    assert names(changed(5, **{metric: under})) == []
    # One step alone moves the mean of five by a fifth of the way.
    assert names(changed(1, **{metric: over})) == []


def test_mismatch_says_that_a_policy_a_step_behind_is_a_part_of_it() -> None:
    assert "max_staleness" not in text(changed(5, rollout__mismatch_kl=0.0011))
    stale = changed(5, rollout__mismatch_kl=0.0011, rollout__staleness=4.0)
    assert "in part the step that rollout.max_staleness puts between them" in text(stale)


def test_mismatch_that_was_there_from_the_beginning_is_not_growing() -> None:
    same = [{**line, "rollout/mismatch_kl": 0.004} for line in HEALTHY]
    assert names(same) == []
    grown = [*same[:-5], *({**line, "rollout/mismatch_kl": 0.013} for line in same[-5:])]
    assert text(grown).startswith("sampler and learner disagree by 0.013 nats per token, 0.004 at")


@pytest.mark.parametrize("metric", ["actor__grad_norm", "actor__loss"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_a_number_is_seen_at_once(metric: str, value: float) -> None:
    assert names(changed(1, **{metric: value})) == ["not_a_number"]
    assert metric.replace("__", "/") in text(changed(1, **{metric: value}))


def test_ruined_weights_raise_no_alarm_of_another_name() -> None:
    ruined = changed(5, actor__loss=math.nan, actor__entropy=math.nan)
    assert names(ruined) == ["not_a_number"]


def test_fine_tuning_may_be_sure_of_its_answers() -> None:
    lines = [{"actor/entropy": 0.01, "actor/loss": 0.01, "actor/grad_norm": 0.1}] * 20
    assert names(lines) == []


def test_a_disk_that_fills() -> None:
    assert names(changed(1, perf__disk_free_frac=0.11)) == []
    assert text(changed(1, perf__disk_free_frac=0.042)).startswith("4.2% of the disk of run_dir")


def test_episodes_have_a_beginning_and_an_end() -> None:
    cut = [
        {**line, "response_length/clip_ratio": 1.0} if 6 <= line["step"] <= 10 else line
        for line in HEALTHY
    ]
    # The mean over five steps is above 0.3 from the second of them to the third after them.
    (episode,) = episodes(cut)
    assert (episode.first_step, episode.last_step) == (7, 13)
    assert episode.alarm.text.startswith("40% of the completions")


def test_a_step_is_late_after_three_medians_and_a_minute() -> None:
    assert stall_limit_s([]) is None
    assert stall_limit_s([{"timing_s/step": s} for s in (5.0, 6.0, 7.0)]) == 60.0
    assert stall_limit_s([{"timing_s/step": s} for s in (50.0, 60.0, 700.0)]) == 180.0


def test_silence_is_judged_from_the_status_alone() -> None:
    status = {"updated": 1000.0, "late_after_s": 180.0, "phase": "training"}
    assert silence(status, 1180.0) is None
    alarm = silence(status, 1181.0)
    assert isinstance(alarm, Alarm) and alarm.text.startswith("no step for more than 180 s")
    assert silence({"updated": 1000.0, "phase": "starting"}, 9999.0) is None
    assert silence({**status, "late_after_s": None}, 9999.0) is None
