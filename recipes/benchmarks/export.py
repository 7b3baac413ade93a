"""Write a benchmark of the Hugging Face hub to a file, for a machine without internet:

python -m recipes.benchmarks.export gsm8k benchmarks
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from configs.errors import UserError
from recipes.benchmarks.loading import hub_rows
from recipes.benchmarks.table import BENCHMARKS


def export(name: str, folder: Path) -> Path:
    """folder/NAME.jsonl with all rows as the hub has them."""
    benchmark = BENCHMARKS.get(name)
    if benchmark is None or benchmark.hub is None:
        known = ", ".join(key for key, each in BENCHMARKS.items() if each.hub)
        raise UserError(f"{name}: no benchmark of the hub; known are: {known}")
    if benchmark.how_to_get:
        raise UserError(f"{name}: is not exported: {benchmark.how_to_get}")
    folder.mkdir(parents=True, exist_ok=True)
    path, aside = folder / f"{name}.jsonl", folder / f"{name}.jsonl.aside"
    with aside.open("w", encoding="utf-8") as file:
        for values in hub_rows(benchmark.hub):
            file.write(json.dumps(values, ensure_ascii=False, default=str) + "\n")
    aside.replace(path)
    return path


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m recipes.benchmarks.export NAME FOLDER")
    try:
        print(export(sys.argv[1], Path(sys.argv[2])))
    except UserError as error:
        sys.exit(f"error: {error}")
