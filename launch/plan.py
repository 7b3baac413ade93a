"""`launch plan`: what a run would need and take, as tables for people or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from configs.devices import GIB
from configs.errors import UserError
from configs.plan import Plan, make_plan, model_facts_of
from configs.plan_memory import PHASES, Where
from configs.plan_placement import NodePlan
from configs.plan_work import counted
from configs.schema import FolderModel, Model, RunConfig
from configs.shape import ModelShape, shape_from_facts

WHERES: tuple[Where, ...] = ("device", "host")


def plan(config: RunConfig, *, as_json: bool) -> int:
    """Print the plan; exit code 2 when the run cannot be as it is set."""
    host_gib = main_memory_gib()
    shape = model_shape(config.model)
    made = make_plan(config, shape, host_gib=host_gib, cores=os.cpu_count() or 1)
    if as_json:
        print(json.dumps(plan_json(made), indent=2))
        return 2 if made.refusals else 0
    print_plan(made, Console(highlight=False))
    if made.refusals:
        raise UserError("\n".join(made.refusals))
    return 0


def main_memory_gib() -> float:
    """Of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB


def model_shape(model: Model) -> ModelShape:
    """In closed form where there is one; else counted on the model built without memory.

    Raises UserError when nothing is known about the model.
    """
    facts = model_facts_of(model)
    if facts is None:
        assert isinstance(model, FolderModel)
        raise UserError(
            f"model.path={model.path}: no config.json there; name a model folder, or choose "
            "a model= whose sizes are known, such as model=qwen2_5_7b"
        )
    shape = shape_from_facts(facts)
    if shape is None:
        from model.shape import count_shape

        shape = count_shape(facts)
    return shape


def plan_json(made: Plan) -> dict[str, Any]:
    """Sizes in bytes, times in seconds; keys stay what they are from version to version."""
    entries = asdict(made)
    entries["shape"] |= {"active": made.shape.active, "embedding": made.shape.embedding}
    entries["step"] |= {"total": made.step.total}
    for process, written in zip(made.memory, entries["memory"], strict=True):
        written["totals"] = {
            f"{phase}_{where}": process.total(phase, where) for phase in PHASES for where in WHERES
        }
    for demand, written in zip(made.demands, entries["demands"], strict=True):
        written["fits"] = demand.fits
    return entries


def print_plan(made: Plan, console: Console) -> None:
    """Model, batch, placement, memory, time, and what to mind."""
    console.print(_model(made.shape))
    for title, entries in (("Batch", made.batch), ("Processes", made.processes)):
        console.print(_pairs(title, entries))
    console.print(_pairs("Placement", dict(_placement_lines(made.placement))))
    console.print(_memory(made))
    console.print(_demands(made))
    console.print(_time(made))
    if made.cautions:
        console.print(_pairs("Mind", {str(n + 1): text for n, text in enumerate(made.cautions)}))


def _model(shape: ModelShape) -> Text:
    said = f"{shape.family}, {counted(shape.parameters)} parameters ({shape.parameters:,})"
    if shape.experts:
        said += f", {counted(shape.active)} active per token"
    if shape.mtp:
        said += f"; its MTP module, {counted(shape.mtp)} more, is not loaded"
    return Text(said, style="bold")


def _pairs(title: str, entries: dict[str, str]) -> Table:
    table = _table(title)
    table.show_header = False
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in entries.items():
        table.add_row(name, value)
    return table


def _table(title: str) -> Table:
    return Table(
        title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False
    )


def _placement_lines(nodes: tuple[NodePlan, ...]) -> Iterator[tuple[str, str]]:
    """Machines that hold the same kinds of processes share a line."""

    def kinds(node: NodePlan) -> list[tuple[bool, bool]]:
        return [(d.learner_rank is not None, d.sampler is not None) for d in node.devices]

    first = nodes[0]
    shared = ", ".join(
        f"{count} {kind}{'s' * (count > 1)}" for kind, count in first.cpu_processes.items()
    )
    yield "CPU of machine 0" if first.devices else "this machine", shared
    for _, group in groupby((node for node in nodes if node.devices), key=kinds):
        same = list(group)
        devices = [device for node in same for device in node.devices]
        ranks = [d.learner_rank for d in devices if d.learner_rank is not None]
        samplers = [d.sampler for d in devices if d.sampler is not None]
        parts = [f"{len(same[0].devices)} each"]
        if ranks:
            parts.append(f"learner ranks {_range(ranks)}, one per GPU")
        if samplers:
            width = samplers.count(samplers[0])
            parts.append(f"samplers {_range(samplers)}, {width} GPU{'s' * (width > 1)} each")
        machines = [node.index for node in same]
        yield f"GPUs of machine{'s' * (len(same) > 1)} {_range(machines)}", "; ".join(parts)


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low}-{high}"


def _memory(made: Plan) -> Table:
    table = _table("Memory of each process, GiB")
    table.add_column("", no_wrap=True)
    for title in ("training", "generating"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", style="dim", overflow="fold")
    for process in made.memory:
        name = process.name if process.count == 1 else f"{process.name} (x {process.count})"
        for where in WHERES:
            train, generate = (process.total(phase, where) for phase in PHASES)
            parts = [part for part in process.parts if part.where == where]
            if not parts:
                continue
            on_gpu = where == "device" and process.name == "sampler" and made.gpu_hours > 0
            place = f"{name}, host" if where == "host" else name + ", per GPU" * on_gpu
            table.add_row(Text(place, style="bold"), _gib(train), _gib(generate), "", style="bold")
            for part in parts:
                table.add_row(f"  {part.name}", _gib(part.train), _gib(part.generate), part.formula)
    return table


def _gib(amount: int) -> str:
    """Two decimals; a dash for nothing at all."""
    if amount == 0:
        return "-"
    return f"{amount / GIB:,.2f}" if amount >= GIB / 100 else "<0.01"


def _demands(made: Plan) -> Table:
    table = _table("Together, GiB")
    for title in ("", "needed", "there is", ""):
        table.add_column(title, justify="right" if title else "left")
    for demand in made.demands:
        verdict = "fits" if demand.fits else Text("does not fit", style="bold red")
        there = f"{demand.available:,.1f}" if demand.available else "not known"
        place = f"{demand.place}, {demand.phase}"
        table.add_row(place, f"{demand.needed:,.1f}", there, verdict if demand.available else "")
    return table


def _time(made: Plan) -> Table:
    table = _table("Time (estimate)")
    table.add_column("")
    table.add_column("seconds", justify="right")
    step = made.step
    names = {
        "generation, rewards beside it": step.generate,
        "reference and old log-probs": step.log_probs,
        "updates": step.update,
        "weights to the samplers, offloading": step.sync,
    }
    for name, seconds in names.items():
        table.add_row(f"  {name}", _seconds(seconds))
    table.add_row("one step", _seconds(step.total))
    gpu_hours = f" = {made.gpu_hours:,.0f} GPU hours" if made.gpu_hours else ""
    table.add_row(f"{made.steps:,} steps and evaluations", f"{made.hours:,.2f} hours{gpu_hours}")
    table.caption = "Assumptions: configs/devices.py, plan_work.py and plan_time.py."
    table.caption_justify = "left"
    return table


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}" if seconds < 100 else f"{seconds:,.0f}"
