"""Reading and writing Hugging Face model folders. The same names and layout go in and out."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from configs.errors import UserError

log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# Entries of config.json that change logits after the vocabulary projection, which the packed
# forward computes itself: a model that needs them must not be trained without them.
UNSUPPORTED_HEAD_ENTRIES = ("final_logit_softcapping", "logit_scale", "logits_scaling")

SHARD_BYTES = 4 * 1024**3


def check_model_folder(folder: Path) -> dict[str, Any]:
    """The contents of config.json, after the checks that cost nothing."""
    if not folder.is_dir():
        raise UserError(
            f"model path {folder}: no such folder; give a folder with config.json and *.safetensors"
        )
    config_path = folder / "config.json"
    if not config_path.is_file():
        raise UserError(f"{config_path}: missing; a Hugging Face model folder needs it")
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: no *.safetensors file; save the model with safetensors weights")
    index_path = folder / "model.safetensors.index.json"
    if index_path.is_file():
        for shard in sorted(set(json.loads(index_path.read_text())["weight_map"].values())):
            if not (folder / shard).is_file():
                raise UserError(f"{folder / shard}: missing, but named by {index_path.name}")
    config = json.loads(config_path.read_text())
    for entry in UNSUPPORTED_HEAD_ENTRIES:
        if config.get(entry) not in (None, 1.0):
            raise UserError(
                f"{config_path}: {entry}={config[entry]} is not supported by the learner; "
                "use a model without it"
            )
    return config


def load_model(
    folder: Path, dtype: torch.dtype, *, attention: str, experts: str | None = None
) -> PreTrainedModel:
    """A causal language model on the CPU, in evaluation mode (no dropout).

    attention and experts are names of implementations known to transformers; model/attention.py
    registers ours.
    """
    check_model_folder(folder)
    options: dict[str, Any] = {} if experts is None else {"experts_implementation": experts}
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation=attention, **options
    )
    return model.eval()


def save_model_folder(
    target: Path,
    source: Path,
    tensors: Iterable[tuple[str, Tensor]],
    dtype: torch.dtype,
    entries: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Write a folder like source with other weights, and other entries in config.json; the target
    appears whole or not at all.

    Everything in source except its weights is copied: config.json with keys that transformers
    would drop (such as topk_method), tokenizer, chat template, generation settings.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise UserError(f"{target}: exists already; choose another folder or remove it first")
    aside = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)  # left behind by a process that was killed
    aside.mkdir()
    try:
        _copy_all_but_weights(source, aside)
        _write_shards(aside, tensors)
        _write_entries(aside / "config.json", dtype, entries)
    except BaseException:
        shutil.rmtree(aside)
        raise
    aside.rename(target)


def _copy_all_but_weights(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        weights = path.name.endswith((".safetensors", ".safetensors.index.json", ".bin", ".gguf"))
        if path.is_file() and not weights:
            shutil.copyfile(path, target / path.name)


def _write_shards(folder: Path, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Shards of at most SHARD_BYTES, and their index when there is more than one."""
    shards: list[list[str]] = []
    pending: dict[str, Tensor] = {}
    pending_bytes = total_bytes = 0

    def flush() -> None:
        nonlocal pending, pending_bytes
        shard = folder / f"shard-{len(shards)}"
        save_file(pending, shard, metadata={"format": "pt"})
        shard.chmod(0o644)  # safetensors makes it private
        shards.append(list(pending))
        pending, pending_bytes = {}, 0

    for name, tensor in tensors:
        if pending and pending_bytes + tensor.nbytes > SHARD_BYTES:
            flush()
        # A copy: exported tensors may be views of buffers that the next layer overwrites.
        pending[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        pending_bytes += tensor.nbytes
        total_bytes += tensor.nbytes
    flush()

    if len(shards) == 1:
        (folder / "shard-0").rename(folder / "model.safetensors")
        return
    weight_map = {}
    for number, names in enumerate(shards):
        file_name = f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        (folder / f"shard-{number}").rename(folder / file_name)
        weight_map.update(dict.fromkeys(names, file_name))
    index = {"metadata": {"total_size": total_bytes}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


def _write_entries(config_path: Path, dtype: torch.dtype, entries: Mapping[str, object]) -> None:
    config = json.loads(config_path.read_text()) | dict(entries)
    config.pop("torch_dtype", None)
    config["dtype"] = str(dtype).removeprefix("torch.")
    config_path.write_text(json.dumps(config, indent=2))
