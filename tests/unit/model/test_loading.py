from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import model.loading as loading
from configs.errors import UserError
from model.loading import check_model_folder, load_model, save_model_folder
from tests.models import save_tiny_deepseek, save_tiny_llama


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere: no such folder"):
        check_model_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"config\.json: missing"):
        check_model_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"logit_scale": 0.5}))
    with pytest.raises(UserError, match=r"no \*\.safetensors"):
        check_model_folder(tmp_path)
    (tmp_path / "model-00001-of-00002.safetensors").touch()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "other.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"other\.safetensors: missing"):
        check_model_folder(tmp_path)
    (tmp_path / "other.safetensors").touch()
    with pytest.raises(UserError, match=r"logit_scale=0\.5 is not supported"):
        check_model_folder(tmp_path)


def test_folder_survives_a_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save_tiny_deepseek(tmp_path / "source")
    (source / "tokenizer.json").write_text("{}")
    weights = load_file(source / "model.safetensors")
    monkeypatch.setattr(loading, "SHARD_BYTES", 1_000_000)
    save_model_folder(tmp_path / "target", source, weights.items(), torch.float32)

    shards = sorted((tmp_path / "target").glob("*.safetensors"))
    assert len(shards) > 1 and shards[0].name == f"model-00001-of-{len(shards):05d}.safetensors"
    written = {name: tensor for shard in shards for name, tensor in load_file(shard).items()}
    assert set(written) == set(weights)
    assert all(torch.equal(written[name], weights[name]) for name in weights)
    config = json.loads((tmp_path / "target" / "config.json").read_text())
    assert config == json.loads((source / "config.json").read_text())
    assert config["topk_method"] == "noaux_tc"
    assert (tmp_path / "target" / "tokenizer.json").is_file()
    check_model_folder(tmp_path / "target")
    load_model(tmp_path / "target", torch.float32, attention="eager")


def test_a_failed_save_leaves_no_folder(tmp_path: Path) -> None:
    source = save_tiny_llama(tmp_path / "source")

    def broken():
        yield "model.norm.weight", torch.ones(64)
        raise RuntimeError("rank 1 died")

    (tmp_path / ".target.tmp").mkdir()  # of a save that was killed
    with pytest.raises(RuntimeError, match="rank 1 died"):
        save_model_folder(tmp_path / "target", source, broken(), torch.float32)
    assert list(tmp_path.iterdir()) == [source]
    with pytest.raises(UserError, match="exists already"):
        save_model_folder(source, source, {}.items(), torch.float32)
