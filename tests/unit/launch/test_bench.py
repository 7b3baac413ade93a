"""What `launch bench` makes of its timings."""

from __future__ import annotations

import pytest

from launch.bench import Round
from launch.bench_parts import Alone


def test_the_ratio_is_of_medians_so_that_one_slow_step_does_not_count() -> None:
    found = Round(
        metrics=[{"timing_s/step": seconds} for seconds in (6.0, 5.0, 60.0)],
        memory_gib=1.0,
        sampler=Alone([1.0, 10.0, 1.5], 0.5),
        learner=Alone([2.5, 2.0, 30.0], 0.5),
    )
    assert found.ratio == pytest.approx(6.0 / (1.5 + 2.5))
