"""What a stage of the pipeline was made from and what it made: RUN/stages/NAME/manifest.json.

Written when the stage begins, with its inputs, and again when it is complete, with its products. A
stage is skipped when its manifest is complete and still true.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from configs.schema import FolderModel, Model
from launch.eval_folder import model_sha256
from launch.run_folder import write_atomically

FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Manifest("sft_cold_start", inputs={"model": "3fa1...", "data.path": "77c0..."}, ...)"""

    stage: str
    inputs: Mapping[str, str]
    """Setting -> hash of what it was given."""
    complete: bool = False
    product: str = ""
    """Hash of what the stage made."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each file of the product."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    """Where the run ended, and what its data was."""
    versions: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """Of all attempts, from start to end; those that were killed left no time."""

    def write(self, folder: Path) -> None:
        write_atomically(folder / FILE, json.dumps(asdict(self), indent=2, ensure_ascii=False))


def read_manifest(folder: Path) -> Manifest | None:
    """None where a stage has not begun."""
    path = folder / FILE
    return Manifest(**json.loads(path.read_text())) if path.exists() else None


def product_hash(path: Path) -> str:
    """Of a model's folder (weights, configuration, tokenizer) or of a file, by content."""
    if path.is_dir():
        return model_sha256(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def product_sizes(path: Path) -> dict[str, int]:
    """Name -> bytes of each file: a change of these is noticed without reading terabytes."""
    files = [path] if path.is_file() else sorted(each for each in path.glob("*") if each.is_file())
    return {file.name: file.stat().st_size for file in files}


def given_model_hash(model: Model) -> str:
    """Of a model that no stage made: its settings, and for a folder the names and sizes of its
    files, which may be too large to be read at every start."""
    facts: dict[str, Any] = model.model_dump(mode="json", exclude={"cache_dir"})
    if isinstance(model, FolderModel):
        facts["files"] = product_sizes(Path(model.path).expanduser())
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
