"""Atomic checkpoints: written aside, hashed, then renamed. The newest complete one wins.

checkpoints/step-000010/manifest.json   step, version, SHA-256 of every file
checkpoints/step-000010/rank-0/...      what the learner ranks wrote
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from launch.run_folder import full_disk_is_a_user_error
from rl.protocols import LoopState

logger = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoint folder of one run."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep

    def save(self, state: LoopState, write_ranks: Callable[[Path], None]) -> None:
        """Write a checkpoint; afterwards only the newest `keep` remain.

        Raises UserError when the disk is full; nothing half-written stays.
        """
        final = self._folder / f"step-{state.step:06d}"
        aside = self._folder / f".step-{state.step:06d}.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            with full_disk_is_a_user_error(self._folder, f"the checkpoint of step {state.step}"):
                write_ranks(aside)
                manifest = {"state": asdict(state), "files": _hashes(aside)}
                (aside / "manifest.json").write_text(json.dumps(manifest, indent=2))
                _sync_tree(aside)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        shutil.rmtree(final, ignore_errors=True)
        aside.rename(final)
        _sync(self._folder)
        for old in self._complete()[: -self._keep]:
            shutil.rmtree(old)

    def latest(self) -> tuple[Path, LoopState] | None:
        """The newest checkpoint whose files are all there and unchanged."""
        for folder in reversed(self._complete()):
            state = _verified(folder)
            if state is not None:
                return folder, state
            logger.warning("checkpoint %s is damaged; using the one before it", folder)
        return None

    def oldest_step(self) -> int:
        """The step from which rollouts may still be needed: that of the oldest checkpoint, or 0
        while there is no second one to fall back on."""
        folders = self._complete()
        return int(folders[0].name.removeprefix("step-")) if len(folders) >= self._keep else 0

    def _complete(self) -> list[Path]:
        return sorted(path.parent for path in self._folder.glob("step-*/manifest.json"))


def _verified(folder: Path) -> LoopState | None:
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except json.JSONDecodeError:
        return None
    if _hashes(folder) != manifest["files"]:
        return None
    return LoopState(**manifest["state"])


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below folder except the manifest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[str(path.relative_to(folder))] = digest
    return found


def _sync_tree(folder: Path) -> None:
    """Bring every file to the disk, so that the rename never points to unwritten data."""
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
