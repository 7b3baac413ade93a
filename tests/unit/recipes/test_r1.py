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


def test_a_run_may_end_early_and_without_a_student() -> None:
    assert [s.name for s in stages_until("cold_start_data", with_student=True)] == [
        "zero",
        "cold_start_data",
    ]
    names = [stage.name for stage in stages_until("", with_student=False)]
    assert {stage.name for stage in STAGES} - set(names) == {"distill", "student_rl"}
    evaluated = stages_until("", with_student=False)[-1].inputs.values()
    assert set(evaluated) == {"zero", "sft_cold_start", "rl_reasoning", "sft_800k"}
