"""Metrics of small rollouts, counted by hand."""

from __future__ import annotations

import pytest

from rl.metrics import rollout_metrics, step_metrics, timing_metrics, update_metrics
from tests.unit.rl.groups import group_of


def test_rollout_metrics_by_hand() -> None:
    groups = [
        group_of([2.0, 2.0], lengths=[1, 2]),
        group_of([0.0, 0.5], lengths=[3, 6], finish_reasons=["stop", "length"]),
        group_of([1.0, None], texts=["Wait, no.", "I await."]),
        group_of([None, None]),
    ]
    metrics = rollout_metrics(groups)
    assert metrics["critic/score/mean"] == pytest.approx(5.5 / 5)
    assert (metrics["critic/score/max"], metrics["critic/score/min"]) == (2.0, 0.0)
    assert metrics["reward/accuracy/mean"] == pytest.approx(3 / 5)
    assert metrics["reward/format/mean"] == pytest.approx(2.5 / 5)
    assert metrics["reward/outcome/correct"] == pytest.approx(3 / 8)
    assert metrics["reward/outcome/wrong"] == pytest.approx(2 / 8)
    assert metrics["reward/outcome/checker_error"] == pytest.approx(3 / 8)
    assert metrics["reward/outcome/timeout"] == 0.0
    # Three groups have a verdict. A group with a single one has equal rewards and cannot teach.
    assert metrics["group/zero_std_frac"] == pytest.approx(2 / 3)
    assert metrics["group/all_right"] == pytest.approx(2 / 3)
    assert metrics["group/all_wrong"] == pytest.approx(1 / 3)
    assert metrics["response_length/mean"] == pytest.approx(20 / 8)
    assert (metrics["response_length/max"], metrics["response_length/min"]) == (6.0, 1.0)
    assert metrics["response_length/clip_ratio"] == pytest.approx(1 / 8)
    assert metrics["prompt_length/mean"] == 3.0
    assert metrics["aha/reflection_rate"] == pytest.approx(1 / 8)


def test_a_mixed_group_is_neither_all_right_nor_all_wrong() -> None:
    metrics = rollout_metrics([group_of([1.0, 0.0])])
    names = ("group/zero_std_frac", "group/all_right", "group/all_wrong")
    assert [metrics[name] for name in names] == [0.0, 0.0, 0.0]


def test_what_has_no_data_is_left_out() -> None:
    assert rollout_metrics([]) == {}
    metrics = rollout_metrics([group_of([None, None])])
    assert "critic/score/mean" not in metrics
    assert "group/zero_std_frac" not in metrics
    assert metrics["reward/outcome/checker_error"] == 1.0


def test_update_metrics_divides_by_the_weight_but_not_the_loss() -> None:
    sums = {"weight": 0.5, "actor/loss": -0.1, "actor/pg_loss": -0.2, "actor/kl_loss": 0.25}
    expected = {"actor/loss": -0.1, "actor/pg_loss": -0.2, "actor/kl_loss": 0.5}
    assert update_metrics(sums) == expected
    assert update_metrics({"weight": 0.0, "actor/kl_loss": 0.0}) == {"actor/kl_loss": 0.0}


def test_step_metrics_average_updates_but_take_the_first_mismatch() -> None:
    updates = [
        {"actor/kl_loss": 0.1, "rollout/mismatch_kl": 0.001},
        {"actor/kl_loss": 0.3, "rollout/mismatch_kl": 0.9},
    ]
    assert step_metrics(updates) == pytest.approx(
        {"actor/kl_loss": 0.2, "rollout/mismatch_kl": 0.001}
    )
    assert step_metrics([]) == {}


def test_timing_metrics() -> None:
    metrics = timing_metrics({"gen": 3.0, "step": 4.0}, num_tokens=800, num_devices=2)
    assert metrics == {
        "timing_s/gen": 3.0,
        "timing_s/step": 4.0,
        "perf/total_num_tokens": 800.0,
        "perf/throughput": 100.0,
    }
