"""Checkpoints: atomic, verified, the previous one when the newest is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from configs.errors import UserError
from launch.checkpoints import Checkpoints
from rl.protocols import LoopState


def write_ranks(content: str):
    def write(folder: Path) -> None:
        (folder / "rank-0").mkdir()
        (folder / "rank-0" / "state.bin").write_text(content)

    return write


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    found = Checkpoints(tmp_path, keep=2)
    for step in (10, 20, 30):
        found.save(LoopState(step, 4 * step), write_ranks(f"weights of {step}"))
    return found


def test_newest_two_are_kept_and_the_newest_is_loaded(
    tmp_path: Path, checkpoints: Checkpoints
) -> None:
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000020", "step-000030"]
    folder, state = checkpoints.latest()  # type: ignore[misc]
    assert state == LoopState(30, 120)
    assert (folder / "rank-0" / "state.bin").read_text() == "weights of 30"
    assert checkpoints.oldest_step() == 20


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest"])
def test_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, checkpoints: Checkpoints, damage: str
) -> None:
    newest = tmp_path / "step-000030"
    file = newest / "rank-0" / "state.bin"
    if damage == "flip":
        file.write_text("Weights of 30")
    elif damage == "truncate":
        file.write_text("weights")
    elif damage == "remove":
        file.unlink()
    else:
        (newest / "manifest.json").write_text('{"state": {"st')
    assert checkpoints.latest() == (tmp_path / "step-000020", LoopState(20, 80))


def test_half_written_checkpoint_does_not_count(tmp_path: Path, checkpoints: Checkpoints) -> None:
    def dies(folder: Path) -> None:
        (folder / "state.bin").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(LoopState(40, 160), dies)
    assert checkpoints.latest() == (tmp_path / "step-000030", LoopState(30, 120))
    checkpoints.save(LoopState(40, 160), write_ranks("weights of 40"))
    assert checkpoints.latest() == (tmp_path / "step-000040", LoopState(40, 160))


def test_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        (folder / "state.bin").write_text("half")
        raise RuntimeError("unexpected pos 576 vs 534")

    with pytest.raises(RuntimeError):
        checkpoints.save(LoopState(40, 160), full)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(UserError, match="no space left for the checkpoint of step 40"):
        checkpoints.save(LoopState(40, 160), full)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000020", "step-000030"]


def test_empty_folder_means_from_the_beginning(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.latest() is None
    assert checkpoints.oldest_step() == 0
