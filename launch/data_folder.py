"""What a run that makes data writes, beside what every run does.

inputs.json     hashes of the model and the prompts; the same folder refuses other ones
journal/        the samples with their scores, a Parquet file per wave
rows/           what became of each sample, a file per wave
data.jsonl      the chat rows to train on
rejected.jsonl  every sample that was dropped, with the reason
counts.json     how many each filter dropped; samples and tokens by domain
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configs.errors import UserError
from launch.run_folder import write_atomically
from recipes.trajectories import Dropped, Trajectory, counts_table, domain_table
from rl.records import Prompt


class DataFolder:
    """The folder of a run of kind sampled_data."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "rows").mkdir(exist_ok=True)

    def check_inputs(self, model_sha256: str, prompts: Sequence[Prompt]) -> None:
        """Note what the run works on. Raises UserError when it began with something else."""
        digest = hashlib.sha256()
        for prompt in prompts:
            digest.update(json.dumps([prompt.id, prompt.token_ids, prompt.answer]).encode())
        inputs = {
            "model_sha256": model_sha256,
            "prompts": len(prompts),
            "prompts_sha256": digest.hexdigest(),
        }
        path = self.path / "inputs.json"
        known = json.loads(path.read_text()) if path.exists() else inputs
        changed = [name for name, value in inputs.items() if known[name] != value]
        if changed:
            raise UserError(
                f"run_dir={self.path}: began with another model or other prompts (see inputs.json "
                f"there: {', '.join(changed)}); bring them back, or use another run_dir"
            )
        write_atomically(path, json.dumps(inputs, indent=2))

    def missing(self, waves: int) -> list[int]:
        """The waves whose rows are not there yet."""
        return [index for index in range(waves) if not self._wave(index).exists()]

    def write_rows(self, wave: int, samples: Sequence[Trajectory | Dropped]) -> None:
        """Keep what became of a wave."""
        lines = [
            {"kept": sample.row()}
            if isinstance(sample, Trajectory)
            else {"dropped": asdict(sample)}
            for sample in samples
        ]
        write_lines(self._wave(wave), lines)

    def assemble(self, left_out: Mapping[str, int]) -> dict[str, Any]:
        """Write the files that the run is for, all waves together; what the status says of them.

        left_out: reason -> problems of the data set that were never sampled.
        """
        write_lines(self.path / "data.jsonl", self._of_kind("kept"))
        write_lines(self.path / "rejected.jsonl", self._of_kind("dropped"))
        dropped = Counter(line["reason"] for line in self._of_kind("dropped"))
        kept = sum(1 for _ in self._of_kind("kept"))
        counts = {
            "problems_left_out": dict(left_out),
            "samples": kept + dropped.total(),
            "filters": counts_table(kept + dropped.total(), dropped, kept),
            "kept": kept,
            "domains": domain_table(self._of_kind("kept")),
        }
        write_atomically(self.path / "counts.json", json.dumps(counts, indent=2))
        with (self.path / "data.jsonl").open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return {"rows": kept, "data_sha256": sha256}

    def _wave(self, index: int) -> Path:
        return self.path / "rows" / f"{index:06d}.jsonl"

    def _of_kind(self, kind: str) -> Iterator[dict[str, Any]]:
        for path in sorted((self.path / "rows").glob("*.jsonl")):
            with path.open() as file:
                for line in file:
                    entry = json.loads(line)
                    if kind in entry:
                        yield entry[kind]


def write_lines(path: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """A JSON object per line, there as a whole or not at all."""
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("w") as file:
        for entry in entries:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
