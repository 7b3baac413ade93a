"""What a person sees at the end of a run that makes data: how many each filter dropped, and what
there is, as in the paper's Table 5."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table


def print_data_outcome(
    run_folder: Path, console: Console | None = None, *, waits: bool = False
) -> None:
    """counts.json as two tables, and where everything is. waits: for a review."""
    console = console or Console()
    counts = json.loads((run_folder / "counts.json").read_text())
    filters = Table(title=f"{counts['samples']:,} samples")
    filters.add_column("dropped because", no_wrap=True)
    for heading in ("dropped", "left"):
        filters.add_column(heading, justify="right")
    for line in counts["filters"]:
        filters.add_row(line["filter"], f"{line['dropped']:,}", f"{line['left']:,}")
    console.print(filters)
    domains = Table(title=f"{counts['kept']:,} rows")
    domains.add_column("domain", no_wrap=True)
    for heading in ("samples", "avg rounds", "avg tokens"):
        domains.add_column(heading, justify="right")
    for name, entry in counts["domains"].items():
        cells = (f"{entry['samples']:,}", f"{entry['rounds']:.1f}", f"{entry['tokens']:,.1f}")
        domains.add_row(name, *cells)
    console.print(domains)
    for what in ("problems", "general"):
        for reason, count in counts[f"{what}_left_out"].items():
            console.print(f"{count:,} {what} rows left out: {reason}", highlight=False)
    for name in ("data.jsonl", "rejected.jsonl", "removed.jsonl", "counts.json"):
        if (run_folder / name).exists():
            console.print(f"{name:15} {run_folder / name}", highlight=False, soft_wrap=True)
    if waits:
        console.print(
            f"waiting for a review of {run_folder / 'review.jsonl'}: copy it, edit rows or take "
            "them out, and run the same command again with recipe.reviewed=FILE",
            highlight=False,
            soft_wrap=True,
        )
