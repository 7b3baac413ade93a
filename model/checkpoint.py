"""The state of one rank on disk: DeepSpeed's own checkpoint, the reference, random states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import distributed

from configs.errors import UserError
from model.reference import ReferencePolicy

TAG = "deepspeed"


def save_state(folder: Path, engine: Any, reference: ReferencePolicy | None) -> None:
    """Collective. The folder must be on storage that all ranks see."""
    engine.save_checkpoint(str(folder), tag=TAG, save_latest=False)
    state = {
        "world_size": distributed.get_world_size(),
        "cpu_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state() if engine.device.type == "cuda" else None,
        "reference": None if reference is None else reference.state(),
    }
    torch.save(state, _rank_file(folder))
    distributed.barrier()


def load_state(folder: Path, engine: Any, reference: ReferencePolicy | None) -> None:
    """Collective; the other way round."""
    path = _rank_file(folder)
    if not path.is_file():
        raise UserError(
            f"{path}: missing; a checkpoint can be loaded with the learner.ranks it was saved with"
        )
    loaded, _ = engine.load_checkpoint(str(folder), tag=TAG)
    assert loaded is not None, f"DeepSpeed found no state in {folder / TAG}"
    state = torch.load(path, weights_only=True)
    assert state["world_size"] == distributed.get_world_size()
    torch.set_rng_state(state["cpu_rng"])
    if state["cuda_rng"] is not None:
        torch.cuda.set_rng_state(state["cuda_rng"])
    if reference is not None:
        reference.load_state(state["reference"])


def _rank_file(folder: Path) -> Path:
    return folder / f"rank_{distributed.get_rank():05d}.pt"
