from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from configs.errors import UserError
from rollout.weight_transfer import (
    UpdateLedger,
    WeightTransferError,
    checkpoint_shapes,
    decode_chunk,
    encode_chunk,
    encode_chunks,
)

TENSORS = {
    "matrix": torch.randn(3, 5).to(torch.bfloat16),
    "bias": torch.tensor([1.5, float("nan"), -0.0]),
    "transposed": torch.arange(6, dtype=torch.float32).reshape(2, 3).T,
    "scalar": torch.tensor(2.5, dtype=torch.float16),
}


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    a, b = a.contiguous().reshape(-1), b.contiguous().reshape(-1)
    return a.dtype == b.dtype and torch.equal(a.view(torch.uint8), b.view(torch.uint8))


def test_a_chunk_returns_the_bits_it_was_given() -> None:
    found = dict(decode_chunk(encode_chunk(TENSORS.items())))
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].shape == tensor.shape
        assert same_bits(found[name], tensor)


def test_pickled_chunks_keep_their_bytes_out_of_band_and_read_only() -> None:
    chunk = encode_chunk(TENSORS.items())
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(chunk, protocol=5, buffer_callback=buffers.append)
    assert len(buffers) == len(TENSORS)
    assert sum(buffer.raw().nbytes for buffer in buffers) == sum(
        tensor.nbytes for tensor in TENSORS.values()
    )
    # Ray maps such buffers read-only; that must neither copy nor warn.
    received = pickle.loads(stream, buffers=[bytes(buffer.raw()) for buffer in buffers])
    found = dict(decode_chunk(received))
    assert all(same_bits(found[name], tensor) for name, tensor in TENSORS.items())
    address = received.buffers[0].__array_interface__["data"][0]
    assert found["matrix"].data_ptr() == address


@pytest.mark.filterwarnings("error")
def test_decoding_read_only_bytes_does_not_warn() -> None:
    chunk = encode_chunk([("a", torch.ones(4))])
    chunk.buffers[0].flags.writeable = False
    assert next(decode_chunk(chunk))[1].sum() == 4


def test_chunks_keep_order_and_size() -> None:
    tensors = [(str(i), torch.full((n,), float(i))) for i, n in enumerate([2, 2, 2, 100, 1, 3])]
    chunks = list(encode_chunks(tensors, max_bytes=16))
    assert [chunk.names for chunk in chunks] == [("0", "1"), ("2",), ("3",), ("4", "5")]
    found = [pair for chunk in chunks for pair in decode_chunk(chunk)]
    assert all(torch.equal(a[1], b[1]) for a, b in zip(found, tensors, strict=True))


def test_an_iterator_may_reuse_its_memory() -> None:
    scratch = torch.zeros(4)

    def reusing():
        for value in range(3):
            scratch.fill_(value)
            yield str(value), scratch

    (chunk,) = encode_chunks(reusing(), max_bytes=1000)
    assert [tensor[0].item() for _, tensor in decode_chunk(chunk)] == [0.0, 1.0, 2.0]


def test_ledger_accepts_each_tensor_of_the_model_once() -> None:
    ledger = UpdateLedger({"a": (2, 3), "b": (4,), "c": ()})
    ledger.enter(["b"], [[4]])
    with pytest.raises(WeightTransferError, match=r"2 tensors \(a, c\) never arrived"):
        ledger.close()
    ledger.enter(["a", "c"], [(2, 3), ()])
    ledger.close()


@pytest.mark.parametrize(
    ("names", "shapes", "message"),
    [
        (["d"], [(1,)], r"1 tensor \(d\) not in the model's checkpoint"),
        (["b"], [(4,)], r"1 tensor \(b\) sent twice"),
        (["a", "a"], [(2, 3), (2, 3)], r"1 tensor \(a\) sent twice"),
        (["a"], [(3, 2)], r"wrong shape of 1 tensor \(a \(3, 2\) instead of \(2, 3\)\)"),
    ],
)
def test_ledger_refuses_and_stays_as_it_was(
    names: list[str], shapes: list[tuple[int, ...]], message: str
) -> None:
    ledger = UpdateLedger({"a": (2, 3), "b": (4,)})
    ledger.enter(["b"], [(4,)])
    with pytest.raises(WeightTransferError, match=message):
        ledger.enter(names, shapes)
    assert ledger.received == {"b"}


def test_many_names_are_cut_short() -> None:
    with pytest.raises(WeightTransferError, match=r"9 tensors \(0, 1, 2, 3, 4 and 4 more\)"):
        UpdateLedger({str(i): (1,) for i in range(9)}).close()


def test_expected_tensors_come_from_all_files_without_extra_prediction_layers(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"num_hidden_layers": 2}))
    first = {"model.embed_tokens.weight": torch.zeros(8, 4), "model.layers.1.w": torch.zeros(3)}
    save_file(first, tmp_path / "model-00001-of-00002.safetensors")
    second = {"model.layers.2.mtp": torch.zeros(3), "model.norm.weight": torch.zeros(4)}
    save_file(second, tmp_path / "model-00002-of-00002.safetensors")
    assert checkpoint_shapes(tmp_path) == {
        "model.embed_tokens.weight": (8, 4),
        "model.layers.1.w": (3,),
        "model.norm.weight": (4,),
    }


def test_a_folder_without_weights_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.path: no \*\.safetensors file"):
        checkpoint_shapes(tmp_path)


def test_buffers_are_bytes() -> None:
    chunk = encode_chunk(TENSORS.items())
    assert all(buffer.dtype == np.uint8 and buffer.ndim == 1 for buffer in chunk.buffers)
