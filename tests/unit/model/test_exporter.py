"""Who gets the weights of an export; what they are is tested with the engines."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from model.exporter import export_weights
from model.loading import load_model
from tests.models import save_tiny_llama


@pytest.mark.parametrize(
    ("rank", "everywhere", "gets"), [(0, 0, 1), (1, 0, 0), (0, 1, 1), (1, 1, 1)]
)
def test_the_other_ranks_get_weights_where_they_are_asked_for_everywhere(
    rank: int, everywhere: int, gets: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.distributed.get_rank", lambda: rank)
    save_tiny_llama(tmp_path)
    model = load_model(tmp_path, torch.float32, attention="sdpa")
    engine = SimpleNamespace(module=model)
    names = [name for name, _ in export_weights(engine, model, everywhere=bool(everywhere))]
    whole = [name for name, _ in model.named_parameters()]
    assert sorted(names) == (sorted(whole) if gets else [])
