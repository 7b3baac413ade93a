"""Weights on their way from the learner to a sampler: how they travel and what must arrive.

Names are those of the Hugging Face checkpoint. Nothing here imports vLLM, so that the learner's
processes can encode without it; the receiving end is rollout/cpu_transfer_engine.py.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from configs.errors import UserError

NAMES_SHOWN = 5


class WeightTransferError(RuntimeError):
    """An update that does not carry exactly the tensors of the model."""


@dataclass(frozen=True, slots=True)
class WeightChunk:
    """Some tensors of one update, as plain NumPy bytes.

    NumPy arrays pickle with out-of-band buffers, so that Ray maps them into the receiver without
    a copy; bytes, because NumPy has no bfloat16.

    WeightChunk(names=("model.norm.weight",), dtypes=("bfloat16",), shapes=((64,),),
                buffers=(<128 bytes>,))
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    """Names of torch dtypes, "bfloat16"."""
    shapes: tuple[tuple[int, ...], ...]
    buffers: tuple[np.ndarray, ...]
    """Per tensor its bytes in C order, [numel * itemsize] uint8."""


def encode_chunk(named_tensors: Iterable[tuple[str, torch.Tensor]]) -> WeightChunk:
    """The chunk shares memory with CPU tensors: hand it over before they change."""
    pairs = [(name, tensor.detach()) for name, tensor in named_tensors]
    return WeightChunk(
        names=tuple(name for name, _ in pairs),
        dtypes=tuple(str(tensor.dtype).removeprefix("torch.") for _, tensor in pairs),
        shapes=tuple(tuple(tensor.shape) for _, tensor in pairs),
        buffers=tuple(
            tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy() for _, tensor in pairs
        ),
    )


def encode_chunks(
    named_tensors: Iterable[tuple[str, torch.Tensor]], max_bytes: int
) -> Iterator[WeightChunk]:
    """Chunks of at most max_bytes, or of one tensor where that is larger, in the given order.

    Each tensor is copied as it comes, so that an iterator may reuse its memory for the next one.
    """
    pending: list[tuple[str, torch.Tensor]] = []
    pending_bytes = 0
    for name, tensor in named_tensors:
        if pending and pending_bytes + tensor.nbytes > max_bytes:
            yield encode_chunk(pending)
            pending, pending_bytes = [], 0
        pending.append((name, tensor.detach().clone()))
        pending_bytes += tensor.nbytes
    if pending:
        yield encode_chunk(pending)


def decode_chunk(chunk: WeightChunk) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors, sharing memory with the chunk: read them, never write to them."""
    fields = zip(chunk.names, chunk.dtypes, chunk.shapes, chunk.buffers, strict=True)
    for name, dtype, shape, buffer in fields:
        with warnings.catch_warnings():
            # Ray's zero-copy arrays are read-only, which is what is wanted here.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
            flat = torch.from_numpy(buffer)
        yield name, flat.view(_TORCH_DTYPES[dtype]).reshape(shape)


_TORCH_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.bfloat16, torch.float16)
}


def checkpoint_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of the main model, from the headers of its files."""
    return {
        name: tuple(tensors.get_slice(name).get_shape()) for name, tensors in _main_model(folder)
    }


def checkpoint_tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and value of every tensor of the main model."""
    for name, tensors in _main_model(folder):
        yield name, tensors.get_tensor(name)


def _main_model(folder: Path) -> Iterator[tuple[str, Any]]:
    """(name, open file) of every tensor that a sampler has.

    Layers beyond num_hidden_layers (multi-token prediction) are left out: the sampler has none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(
            f"model.path: no *.safetensors file in {folder}; give a folder with a Hugging Face "
            "model saved as safetensors"
        )
    num_layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
    for file in files:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (not a dict)
                layer = re.match(r"model\.layers\.(\d+)\.", name)
                if layer is None or int(layer.group(1)) < num_layers:
                    yield name, tensors


@dataclass(slots=True)
class UpdateLedger:
    """Which tensors of one update have arrived; refuses what does not belong to the model."""

    expected: Mapping[str, tuple[int, ...]]
    """Name -> shape, from checkpoint_shapes."""
    received: set[str] = field(default_factory=set)

    def enter(self, names: Sequence[str], shapes: Sequence[Sequence[int]]) -> None:
        """Note the arrival of these tensors, before they are loaded."""
        unknown = [name for name in names if name not in self.expected]
        if unknown:
            raise WeightTransferError(
                f"weight update: {_listed(unknown)} not in the model's checkpoint; send every "
                "tensor under the name it has there (experts one by one, no fused names)"
            )
        seen = set(self.received)
        doubled = [name for name in names if name in seen or seen.add(name)]
        if doubled:
            raise WeightTransferError(f"weight update: {_listed(doubled)} sent twice")
        misshapen = [
            f"{name} {tuple(shape)} instead of {self.expected[name]}"
            for name, shape in zip(names, shapes, strict=True)
            if tuple(shape) != self.expected[name]
        ]
        if misshapen:
            raise WeightTransferError(f"weight update: wrong shape of {_listed(misshapen)}")
        self.received = seen

    def close(self) -> None:
        """Every tensor of the model must have arrived."""
        missing = [name for name in self.expected if name not in self.received]
        if missing:
            raise WeightTransferError(f"weight update: {_listed(missing)} never arrived")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    rest = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{len(names)} tensor{'s' if len(names) > 1 else ''} ({shown}{rest})"
