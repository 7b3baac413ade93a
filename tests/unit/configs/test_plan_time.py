"""Times against formulas written out, and against what was measured or published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from configs.plan_time import concurrent_sequences, generation_s, run_hours, step_time
from tests.unit.configs.plans import DEEPSEEK_V3, GIB, QWEN_7B, planned

H100 = 989e12 * 0.35
"""FLOP/s that training is assumed to reach."""


def test_updates_by_hand() -> None:
    """Qwen2.5-7B, 16 updates on 512 samples of 0.4 x 512 + 0.25 x 32768 = 8396.8 tokens, 8 ranks:
    four passes with checkpointing, 2 FLOP per parameter and attention to half of the sample."""
    work, shape = planned(*QWEN_7B)
    length, multiplied = 8396.8, 7_615_616_512 - 152064 * 3584
    tokens = 64 * length
    flops = tokens * (2 * multiplied + 28 * length * 2 * 3584)
    gathers = 17 * 2 * 7_615_616_512 / 450e9  # 537,395 tokens are 16.1 rows of 33,280
    reduction = 4 * 7_615_616_512 / 450e9
    adam = 28 * 7_615_616_512 / 8 / (3.35e12 * 0.6)
    update = 4 * (flops / H100 + gathers) + reduction + adam
    assert step_time(work, shape, 1).update == pytest.approx(16 * update, rel=1e-6)


def test_running_ahead_takes_the_longer_of_generating_and_training() -> None:
    work, shape = planned(*QWEN_7B)
    assert work.rollout is not None
    step = step_time(work, shape, 1)
    learn = step.log_probs + step.update
    assert step.total == step.generate + learn + step.sync
    rollout = work.rollout.model_copy(update={"max_staleness": 1})
    ahead = step_time(replace(work, rollout=rollout), shape, 1)
    assert ahead.total == max(step.generate, learn) + step.sync < step.total


def test_decoding_by_hand() -> None:
    """One engine decodes 113 of its 1024 sequences at a time; weights and caches are read once
    per token."""
    work, shape = planned(*QWEN_7B)
    per_token = 2 * 28 * 2 * 4 * 128
    cache = 0.85 * 79 * GIB - 2 * 7_615_616_512 - 2 * GIB
    batch = int(cache / (per_token * 8396.8))
    assert concurrent_sequences(work, shape) == batch == 113
    multiplied = 7_615_616_512 - 152064 * 3584
    read = 2 * multiplied + batch * per_token * (204.8 + 4096)
    step = read / (3.35e12 * 0.6) + 8e-3 + batch * 5e-6
    prefill = 64 * 204.8 * 2 * multiplied / H100
    expected = 1024 / batch * 8192 * step + prefill
    assert generation_s(work, shape, 1, 8192) == pytest.approx(expected, rel=1e-4)


def test_the_longest_completion_takes_its_time_alone() -> None:
    """Eight sequences, one per engine: 32,768 tokens, each at least a read of all weights."""
    work, shape = planned(*QWEN_7B)
    least = 32768 * (2 * (7_615_616_512 - 152064 * 3584) / (3.35e12 * 0.6) + 8e-3)
    assert least < generation_s(work, shape, 1, 8) < 1.1 * least


@pytest.mark.parametrize("batch", [1, 32])
def test_more_sequences_touch_more_experts(batch: int) -> None:
    """DeepSeek-V3 on 16 engines of 32 H800: 8 of 256 experts for one token, 1 - (248/256)^b of all
    for b; two all-reduces per layer between machines."""
    work, shape = planned(*DEEPSEEK_V3)
    experts = 58 * 256 * 3 * 7168 * 2048
    others = 671_026_404_352 - experts - 129280 * 7168
    multiplied = others + experts * 8 // 256

    def step(b: int) -> float:
        read = 2 * (others + experts * (1 - (248 / 256) ** b)) / 32
        read += b * 2 * 61 * 576 * (204.8 + 2048)
        return read / (3.35e12 * 0.6) + 2 * 61 * 40e-6 + 8e-3 + b * 5e-6

    # The longest completion is 16,384 tokens; the others stop at a quarter.
    expected = 4096 * step(batch) + (16384 - 4096) * step(1)
    expected += batch / 16 * 204.8 * 2 * multiplied / (32 * H100)
    assert generation_s(work, shape, 1, 16 * batch) == pytest.approx(expected, rel=1e-6)


def test_nano_step_is_within_a_half_of_what_was_measured() -> None:
    """2 cores, the 50th step of a run with its defaults on 2026-11-22."""
    step = step_time(*planned(), 2)
    assert step.generate == pytest.approx(1.96, rel=0.5)
    assert step.log_probs == pytest.approx(0.31, rel=0.5)
    assert step.update == pytest.approx(1.06, rel=0.5)
    assert step.total == pytest.approx(3.87, rel=0.5)


def test_hours_add_up() -> None:
    work, shape = planned(*QWEN_7B)
    seconds = 650 * step_time(work, shape, 1).total + 2 * generation_s(work, shape, 1, 128 * 16)
    assert run_hours(work, shape, 1) == pytest.approx(seconds / 3600)


def test_zero_takes_the_papers_order_of_magnitude() -> None:
    """R1-Zero took 101,000 H800 hours on 512 GPUs (arXiv 2501.12948v2, table 7), with FP8, experts
    spread over the engines and speculative decoding, which this program does not have."""
    work, shape = planned(*DEEPSEEK_V3)
    assert 101_000 / 3 < 512 * run_hours(work, shape, 1) < 101_000 * 5


def test_nothing_is_exchanged_by_one_rank() -> None:
    one = step_time(*planned("learner.ranks=1", "learner.zero_stage=3"), 2)
    plain = step_time(*planned("learner.ranks=1"), 2)
    assert one.update == plain.update
