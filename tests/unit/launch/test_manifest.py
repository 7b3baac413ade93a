"""When a model that no stage made is another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.schema import FolderModel
from launch.manifest import BLOCK_BYTES, SAMPLED_BLOCKS, given_model_hash


def test_a_given_model_is_known_by_its_content(tmp_path: Path) -> None:
    """Not by its place and its times; other weights of the same shape are another model."""
    size = 3 * SAMPLED_BLOCKS * BLOCK_BYTES + 1
    weights = bytearray(size)
    folders = [tmp_path / name for name in ("given", "copy", "trained")]
    for folder in folders:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        if folder.name == "trained":
            weights[:] = b"\1" * size
        (folder / "model.safetensors").write_bytes(weights)
    given, copy, trained = (given_model_hash(FolderModel(path=str(each))) for each in folders)
    assert given == copy != trained
    (folders[1] / "config.json").write_text("[]")
    assert given_model_hash(FolderModel(path=str(folders[1]))) != given


@pytest.mark.parametrize("size", [1, BLOCK_BYTES + 1, SAMPLED_BLOCKS * BLOCK_BYTES])
def test_every_byte_of_a_small_model_counts(tmp_path: Path, size: int) -> None:
    hashes = set()
    for place in (None, 0, size // 2, size - 1):
        weights = bytearray(size)
        if place is not None:
            weights[place] = 1
        (tmp_path / "model.safetensors").write_bytes(weights)
        hashes.add(given_model_hash(FolderModel(path=str(tmp_path))))
    assert len(hashes) == (2 if size == 1 else 4)
