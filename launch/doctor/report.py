"""The answer of `launch check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from configs.schema import RunConfig
from launch.doctor.finding import Finding
from launch.doctor.machine import look_at_machine
from launch.doctor.run import look_at_run

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def check(config: RunConfig, *, as_json: bool) -> int:
    """Print what was found; exit code 1 when a problem is among it."""
    found = [*look_at_machine(config), *look_at_run(config)]
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        show(found, Console())
    return int(any(finding.level == "problem" for finding in found))


def show(found: Sequence[Finding], console: Console) -> None:
    width = max(len(finding.name) for finding in found)
    for finding in found:
        console.print(
            Text.assemble(
                (f"{finding.level:<8}", STYLES[finding.level]),
                f"  {finding.name:<{width}}  {finding.text}",
            ),
            soft_wrap=True,
        )
        if finding.remedy:
            console.print(Text(f"{'':<8}  {'':<{width}}  -> {finding.remedy}"), soft_wrap=True)
