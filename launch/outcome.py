"""What a person sees at the end: before and after, samples, and where the report is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from launch.sft_summary import data_summary, heldout_losses
from recipes.evaluation import Evaluation, from_json

SAMPLES = 3


def print_outcome(run_folder: Path, report: Path, console: Console | None = None) -> None:
    """The first evaluation against the last one."""
    console = console or Console()
    paths = sorted((run_folder / "eval").glob("step-*.json"))
    (before, groups_before), (after, groups_after) = (
        from_json(paths[0].read_text()),
        from_json(paths[-1].read_text()),
    )
    console.print(_table(before, after))
    for old, new in list(zip(groups_before, groups_after, strict=True))[:SAMPLES]:
        console.print(Text(f"\n{old['prompt']}", style="bold"), Text(f"  answer {old['answer']}"))
        console.print(_sample("before", old["completions"][0]))
        console.print(_sample("after", new["completions"][0]))
    console.print(f"\nmodel   {run_folder / 'final'}", highlight=False, soft_wrap=True)
    console.print(f"report  {report}", highlight=False, soft_wrap=True)


def print_sft_outcome(run_folder: Path, report: Path, console: Console | None = None) -> None:
    """The held-out loss before and after, and what the data was."""
    console = console or Console()
    losses = heldout_losses(run_folder)
    if losses:
        table = Table(title=f"{losses[0]['sequences']:.0f} held-out sequences")
        for name in ("updates", "loss", "perplexity"):
            table.add_column(name, justify="right")
        for line in losses:
            loss = line["heldout/loss"]
            table.add_row(f"{line['step']:.0f}", f"{loss:.4f}", f"{math.exp(loss):.3f}")
        console.print(table)
    console.print(data_summary(run_folder), highlight=False, soft_wrap=True)
    console.print(f"\nmodel   {run_folder / 'final'}", highlight=False, soft_wrap=True)
    console.print(f"report  {report}", highlight=False, soft_wrap=True)


def print_reward_model_outcome(
    run_folder: Path, report: Path, console: Console | None = None
) -> None:
    """The held-out accuracy before and after, and what the data was."""
    console = console or Console()
    results = [
        json.loads(path.read_text()) for path in sorted((run_folder / "eval").glob("judged-*.json"))
    ]
    if results:
        table = Table(title=f"{results[0]['rows']} held-out rows")
        for name in ("updates", "accuracy", "loss"):
            table.add_column(name, justify="right")
        for each in results:
            table.add_row(str(each["version"]), f"{each['accuracy']:.1%}", f"{each['loss']:.4f}")
        console.print(table)
    console.print(data_summary(run_folder), highlight=False, soft_wrap=True)
    console.print(f"\nmodel   {run_folder / 'final'}", highlight=False, soft_wrap=True)
    console.print(f"report  {report}", highlight=False, soft_wrap=True)


def _table(before: Evaluation, after: Evaluation) -> Table:
    table = Table(
        title=f"{before.problems} held-out problems, {before.samples_per_problem} samples each"
    )
    table.add_column("")
    for name in ("before", "after"):
        table.add_column(name, justify="right")
    table.add_row(
        "pass@1",
        f"{before.pass_at_1:.1%} ± {before.pass_at_1_margin:.1%}",
        f"{after.pass_at_1:.1%} ± {after.pass_at_1_margin:.1%}",
    )
    table.add_row("format", f"{before.format_rate:.1%}", f"{after.format_rate:.1%}")
    table.add_row("mean length", f"{before.mean_length:.1f}", f"{after.mean_length:.1f}")
    table.add_row("cut off", f"{before.truncated:.1%}", f"{after.truncated:.1%}")
    for kind, rate in before.pass_at_1_by_kind.items():
        table.add_row(f"pass@1 {kind}", f"{rate:.1%}", f"{after.pass_at_1_by_kind[kind]:.1%}")
    table.add_row("updates", str(before.version), str(after.version))
    return table


def _sample(when: str, completion: Mapping[str, Any]) -> Text:
    style = "green" if completion["outcome"] == "correct" else "red"
    return Text.assemble(f"  {when:>6}  ", completion["text"], "  ", (completion["outcome"], style))
