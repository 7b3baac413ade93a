from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.checkpoint import load_state


def test_a_checkpoint_without_state_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DeepSpeed itself only warns, and goes on with the weights that it has."""
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    (tmp_path / "rank_00000.pt").touch()
    engine = SimpleNamespace(load_checkpoint=lambda folder, tag: (None, None))
    with pytest.raises(AssertionError, match="DeepSpeed found no state"):
        load_state(tmp_path, engine, None)
