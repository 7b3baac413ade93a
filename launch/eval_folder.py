"""What an evaluation writes.

eval/aime_2024.json      settings, versions, hashes of model and data; measures once it is finished
samples/aime_2024/       every sample: 0000.parquet, 0001.parquet ... one file per wave
logs/attempt-1/          sampler-0.log ...

A file is written aside and renamed, so that it is there whole or not at all: what is there after an
interruption is used, and the rest is generated.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import UserError
from launch.run_folder import flatten, provenance, write_atomically
from rl.records import FinishReason, Outcome

MODEL_FILES = ("*.safetensors", "*config.json", "tokenizer*", "chat_template*")
"""What the model's answers depend on."""


@dataclass(frozen=True, slots=True)
class EvalSample:
    """One sample with its verdict, a row of the Parquet files."""

    problem: str
    sample: int
    prompt: str
    answer: str
    """The gold answer; JSON of tests or instructions for programs and IFEval."""
    text: str
    tokens: int
    finish_reason: FinishReason
    outcome: Outcome
    extracted: str | None
    """The answer that was found in the text."""
    language_share: float | None = None
    """Of the thinking's words, those in the problem's language; None: too few words."""
    instructions: tuple[tuple[str, bool], ...] = ()
    """Each instruction of IFEval, and whether it was followed."""
    well_formed: bool | None = None
    """Whether it has the form of its prompt's template."""
    worth: float | None = None
    """Of an answer to an open request."""


INSTRUCTION = pa.struct([("name", pa.string()), ("followed", pa.bool_())])
ROW = pa.schema(
    [
        ("problem", pa.string()),
        ("sample", pa.int32()),
        ("prompt", pa.string()),
        ("answer", pa.string()),
        ("text", pa.string()),
        ("tokens", pa.int32()),
        ("finish_reason", pa.string()),
        ("outcome", pa.string()),
        ("extracted", pa.string()),
        ("language_share", pa.float64()),
        ("instructions", pa.list_(INSTRUCTION)),
        ("well_formed", pa.bool_()),
        ("worth", pa.float64()),
    ]
)


class EvalFolder:
    """Creates or reopens the folder of an evaluation."""

    def __init__(self, path: Path, model: str) -> None:
        """model: where it was found, for the record."""
        self._model = model
        self.path = path.expanduser().resolve()
        for name in ("eval", "samples", "logs"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def begin_attempt(self) -> Path:
        """The folder for this attempt's logs."""
        logs = self.path / "logs"
        folder = logs / f"attempt-{len(list(logs.glob('attempt-*'))) + 1}"
        folder.mkdir()
        return folder

    def open(self, name: str, about: Mapping[str, Any]) -> dict[str, Any] | None:
        """Begin or continue a benchmark; its measures if it is finished.

        about: what the scores depend on. Raises UserError when the folder has this benchmark with
        anything else.
        """
        path = self.result(name)
        if path.exists():
            known = json.loads(path.read_text())
            old, new = flatten(known["about"]), flatten(dict(about))
            changed = [
                f"{key}: {old.get(key)!r} there, {new.get(key)!r} now"
                for key in sorted(old.keys() | new.keys())
                if old.get(key) != new.get(key)
            ]
            if changed:
                raise UserError(
                    f"run_dir={self.path} holds {name} for another model or with other settings "
                    f"({'; '.join(changed)}): choose another run_dir, or go back to the old ones"
                )
            if known["measures"] is not None:
                return known["measures"]
        (self.path / "samples" / name).mkdir(exist_ok=True)
        self._write(name, about, None)
        return None

    def finish(self, name: str, about: Mapping[str, Any], measures: Mapping[str, Any]) -> None:
        self._write(name, about, measures)

    def result(self, name: str) -> Path:
        return self.path / "eval" / f"{name}.json"

    def samples_kept(self, name: str) -> int:
        """Samples of all finished waves."""
        files = (self.path / "samples" / name).glob("*.parquet")
        return sum(pq.read_metadata(file).num_rows for file in files)

    def read_wave(self, name: str, wave: int) -> list[EvalSample] | None:
        """A finished wave; None when it is not there."""
        path = self._wave(name, wave)
        if not path.exists():
            return None
        rows = pq.read_table(path).to_pylist()
        return [
            EvalSample(
                **row
                | {
                    "outcome": Outcome(row["outcome"]),
                    "instructions": tuple(
                        (each["name"], each["followed"]) for each in row["instructions"]
                    ),
                }
            )
            for row in rows
        ]

    def write_wave(self, name: str, wave: int, samples: Sequence[EvalSample]) -> None:
        """Keep a finished wave; returns when it is safely on disk."""
        path = self._wave(name, wave)
        aside = path.with_suffix(".aside")
        rows = [asdict(sample) for sample in samples]
        for row in rows:
            row["instructions"] = [
                {"name": name, "followed": followed} for name, followed in row["instructions"]
            ]
        with aside.open("wb") as file:
            pq.write_table(pa.Table.from_pylist(rows, schema=ROW), file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)

    def _wave(self, name: str, wave: int) -> Path:
        return self.path / "samples" / name / f"{wave:04d}.parquet"

    def _write(
        self, name: str, about: Mapping[str, Any], measures: Mapping[str, Any] | None
    ) -> None:
        result = {
            "benchmark": name,
            "model": self._model,
            "about": about,
            "versions": provenance(),
            "measures": measures,
        }
        write_atomically(self.result(name), json.dumps(result, indent=2, ensure_ascii=False))


def model_files(folder: Path) -> list[Path]:
    return sorted({file for pattern in MODEL_FILES for file in folder.glob(pattern)})


def model_sha256(folder: Path) -> str:
    """One hash for weights, configuration and tokenizer, by name and content."""
    files = model_files(folder)
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(_file_sha256, files))
    lines = "".join(f"{digest} {file.name}\n" for digest, file in zip(digests, files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
