"""What a run that makes data writes, beside what every run does.

inputs.json     hashes of the model and the prompts; the same folder refuses other ones
journal/        the samples with their scores, a Parquet file per wave
replies-rewriter.jsonl, replies-judge.jsonl
                what servers have replied, as it came
rows/           what became of each sample, a file per wave
data.jsonl      the chat rows to train on
rejected.jsonl  every sample that was dropped, with the reason
removed.jsonl   rows that overlap with an evaluation set, and with which of its problems
review.jsonl    rows that wait for people (recipe.review)
counts.json     how many each filter dropped; samples and tokens by domain
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from configs.errors import UserError
from launch.run_folder import write_atomically
from recipes.data_assembly import Entry
from recipes.trajectories import Domains, Dropped, Trajectory, counts_table
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
        with writing(self._wave(wave)) as file:
            for sample in samples:
                is_kept = isinstance(sample, Trajectory)
                write_line(file, {"kept": sample.row()} if is_kept else {"dropped": asdict(sample)})

    def entries(self) -> Iterator[Entry]:
        """What became of every sample, wave by wave."""
        for path in sorted((self.path / "rows").glob("*.jsonl")):
            with path.open() as file:
                yield from map(json.loads, file)

    def write_data(self, entries: Iterable[Entry], name: str = "data.jsonl") -> dict[str, Any]:
        """Write the kept rows under this name and the dropped ones into rejected.jsonl; returns
        the counts of both."""
        dropped: Counter[str] = Counter()
        domains = Domains()
        with writing(self.path / name) as data, writing(self.path / "rejected.jsonl") as rejected:
            for entry in entries:
                if "kept" in entry:
                    domains.add(entry["kept"])
                    write_line(data, entry["kept"])
                else:
                    dropped[entry["dropped"]["reason"]] += 1
                    write_line(rejected, entry["dropped"])
        kept = domains.rows
        return {
            "samples": kept + dropped.total(),
            "filters": counts_table(kept + dropped.total(), dropped, kept),
            "kept": kept,
            "domains": domains.table(),
        }

    def finish(self, counts: Mapping[str, Any], *, finished: bool) -> dict[str, Any]:
        """Write the counts; what the status says of the data."""
        write_atomically(self.path / "counts.json", json.dumps(counts, indent=2))
        if not finished:
            return {"rows": counts["kept"]}
        with (self.path / "data.jsonl").open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return {"rows": counts["kept"], "data_sha256": sha256}

    def _wave(self, index: int) -> Path:
        return self.path / "rows" / f"{index:06d}.jsonl"


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A file that is there as a whole after the block, or as it was before."""
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("w") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def write_line(file: TextIO, entry: Mapping[str, Any]) -> None:
    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
