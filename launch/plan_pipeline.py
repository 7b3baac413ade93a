"""`launch plan r1`: what each stage of a pipeline would need and take, a line for each."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from configs.data_sets import NanoSolutions
from configs.errors import UserError
from configs.pipeline import PipelineConfig, StageConfig
from configs.plan import Plan, make_plan
from configs.plan_fit import Demand
from configs.reward_models import NanoPreferences
from configs.schema import RewardModelConfig, RlConfig, SftConfig
from launch.plan import main_memory_gib, model_shape, plan_json
from launch.stages import StageRun, stage_runs, student_of
from recipes.r1 import STUDENT

Plans = Mapping[str, Plan | None]
"""Stage -> its plan; None for stages that sample and do not train."""


def plan_pipeline(config: PipelineConfig, *, as_json: bool) -> int:
    """Print it; exit code 2 when a stage cannot be as it is set."""
    runs = stage_runs(config)
    plans = stage_plans(config, runs, host_gib=main_memory_gib(), cores=os.cpu_count() or 1)
    refusals = [
        f"stages.{name}: {line}" for name, made in plans.items() if made for line in made.refusals
    ]
    if as_json:
        print(
            json.dumps({name: made and plan_json(made) for name, made in plans.items()}, indent=2)
        )
        return 2 if refusals else 0
    Console(highlight=False).print(table(runs, plans))
    if refusals:
        raise UserError("\n".join(refusals))
    return 0


def stage_plans(
    config: PipelineConfig, runs: list[StageRun], *, host_gib: float, cores: int
) -> dict[str, Plan | None]:
    """What a stage trains was made by another one, and is as large as the model that the pipeline
    is given: the base model, or the student."""
    base, student = model_shape(config.model), student_of(config)
    plans: dict[str, Plan | None] = {}
    for run in runs:
        plans[run.stage.name] = None
        if isinstance(run.config, RlConfig | SftConfig | RewardModelConfig):
            is_student = run.stage.inputs["model"] == STUDENT
            shape = model_shape(student) if student and is_student else base
            made = make_plan(run.config, shape, host_gib=host_gib, cores=cores)
            plans[run.stage.name] = made
    return plans


def table(runs: list[StageRun], plans: Plans) -> Table:
    """Stages by memory and time."""
    found = Table(box=None, pad_edge=False)
    found.add_column("stage", no_wrap=True)
    found.add_column("tightest, GiB", overflow="fold")
    for title in ("s/step", "steps", "hours", "GPU hours"):
        found.add_column(title, justify="right", no_wrap=True)
    hours = gpu_hours = 0.0
    for run in runs:
        made = plans[run.stage.name]
        if made is None:
            found.add_row(run.stage.name, "samples; not planned", style="dim")
            continue
        known = knows_its_steps(run.config)
        hours += made.hours if known else 0.0
        gpu_hours += made.gpu_hours if known else 0.0
        tightest = max(made.demands, key=_share)
        found.add_row(
            run.stage.name,
            _said(tightest),
            f"{made.step.total:,.1f}",
            f"{made.steps:,}" if known else "by data",
            f"{made.hours:,.2f}" if known else "",
            f"{made.gpu_hours:,.0f}" if known and made.gpu_hours else "",
        )
    total = f"{gpu_hours:,.0f}" if gpu_hours else ""
    found.add_row("together, of these", "", "", "", f"{hours:,.2f}", total, style="bold")
    found.caption = "launch plan r1/STAGE with the same words says more about one of them."
    found.caption_justify = "left"
    return found


def knows_its_steps(config: StageConfig) -> bool:
    """How long fine-tuning is depends on the rows that other stages make."""
    if isinstance(config, SftConfig | RewardModelConfig):
        return isinstance(config.data, NanoSolutions | NanoPreferences)
    return True


def _said(demand: Demand) -> str:
    place = demand.place.rpartition("machine's ")[2]
    there = f" of {demand.available:,.1f}" if demand.available else ""
    verdict = "" if demand.fits else ", does not fit"
    return f"{demand.needed:,.1f}{there}, {place}{verdict}"


def _share(demand: Demand) -> float:
    return demand.needed / demand.available if demand.available else 0.0
