"""The graph of R1's stages."""

from __future__ import annotations

from recipes.r1 import BASE, STAGES, STUDENT, stages_until


def test_every_stage_stands_after_those_it_reads_from() -> None:
    known = {BASE, STUDENT}
    for stage in STAGES:
        assert set(stage.inputs.values()) <= known, stage
        known.add(stage.name)
    assert len(known) == len(STAGES) + 2


def test_the_papers_figure() -> None:
    inputs = {stage.name: dict(stage.inputs) for stage in STAGES}
    assert inputs["sft_cold_start"] == {"model": BASE, "data.path": "cold_start_data"}
    assert inputs["rl_reasoning"] == {"model": "sft_cold_start"}
    # The second round of fine-tuning begins with the base model again.
    assert inputs["sft_800k"] == {"model": BASE, "data.path": "rejection_sampling"}
    assert inputs["rejection_sampling"] == {"model": "rl_reasoning"}
    assert inputs["rl_all"] == {
        "model": "sft_800k",
        "reward.helpful_model": "reward_helpful",
        "reward.safety_model": "reward_safety",
    }


def test_a_run_may_end_early_and_leave_stages_out() -> None:
    assert [stage.name for stage in stages_until("cold_start_data")] == ["zero", "cold_start_data"]
    left = stages_until("", [STUDENT, "reward_safety"])
    assert {stage.name for stage in STAGES} - {stage.name for stage in left} == {
        *("reward_safety", "rl_all"),
        *("distill", "student_rl"),
    }
    evaluated = left[-1].inputs.values()
    assert set(evaluated) == {"zero", "sft_cold_start", "rl_reasoning", "sft_800k"}
    assert "evaluation" not in [stage.name for stage in stages_until("", ["evaluation"])]
