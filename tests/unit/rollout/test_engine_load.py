"""How busy engines were."""

from __future__ import annotations

from rollout.engine_load import EngineLoad, load_metrics


def load(*steps: tuple[int, int, float, int]) -> EngineLoad:
    result = EngineLoad()
    for running, waiting, kv_cache_usage, preempted in steps:
        result.add(running, waiting, kv_cache_usage, preempted)
    return result


def test_means_are_over_steps_and_the_worst_engine_counts() -> None:
    quick = load((4, 9, 0.5, 0), (2, 0, 0.25, 3))
    slow = load((8, 1, 0.9, 0), (7, 0, 0.8, 1), (4, 0, 0.7, 0))
    assert load_metrics([quick, slow]) == {
        "engine/running": (4 + 2 + 8 + 7 + 4) / 5,
        "engine/waiting": 9.0,
        "engine/kv_cache_usage": 0.9,
        "engine/preemptions": 4.0,
    }


def test_a_step_from_the_journal_has_no_load() -> None:
    assert load_metrics([]) == {}
    assert load_metrics([EngineLoad()]) == {}
