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
from launch.eval_folder import model_files, model_sha256
from launch.run_folder import write_atomically

FILE = "manifest.json"

SAMPLED_BLOCKS, BLOCK_BYTES = 128, 2**16
"""8 MiB of each file of weights: they may be hundreds of gigabytes, and are looked at at every
start."""


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


def data_hash(path: Path) -> str:
    """Of a file, as product_hash, or of all files below a folder, by name and content."""
    if path.is_file():
        return product_hash(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = "".join(f"{product_hash(file)} {file.relative_to(path)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def given_model_hash(model: Model) -> str:
    """Of a model that no stage made: the settings that a nano model is built from, or what is in a
    folder, weights by samples."""
    if isinstance(model, FolderModel):
        facts: dict[str, Any] = {
            file.name: (_sampled_sha256 if file.suffix == ".safetensors" else product_hash)(file)
            for file in model_files(Path(model.path).expanduser())
        }
    else:
        facts = model.model_dump(mode="json", exclude={"cache_dir"})
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _sampled_sha256(path: Path) -> str:
    """Of a file's size and of blocks spread evenly over it, which are the whole of a small file.
    Training moves weights everywhere: hardly a block stays as it was."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    blocks = min(SAMPLED_BLOCKS, -(-size // BLOCK_BYTES))
    with path.open("rb") as file:
        for block in range(blocks):
            file.seek(max(0, size - BLOCK_BYTES) * block // max(1, blocks - 1))
            digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()
