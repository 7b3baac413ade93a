"""Contract of the transfer through shared memory of GPUs, on vLLM's own trainer engine: what a GPU
does is replaced, ranks are threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import torch

RANKS = 2
TENSORS = {
    "a": torch.ones(2, 3, dtype=torch.bfloat16),
    "wide": torch.ones(100, dtype=torch.bfloat16),
    "b": torch.ones(4),
}


def name_of_this_gpu() -> str:
    return threading.current_thread().name


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> ThreadPoolExecutor:
    """Threads as learner ranks, each with a GPU of its own."""
    meet = threading.Barrier(RANKS, timeout=60)
    shared: dict[str, Any] = {}

    def all_gather_object(gathered: list[Any], own: Any) -> None:
        shared[name_of_this_gpu()] = own
        meet.wait()
        gathered[:] = [shared[f"gpu_{i}"] for i in range(RANKS)]
        meet.wait()

    def properties(_: int) -> SimpleNamespace:
        return SimpleNamespace(uuid=name_of_this_gpu())

    def shared_memory(size: int, **_: Any) -> torch.Tensor:
        return torch.zeros(size, dtype=torch.uint8)

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: RANKS)
    monkeypatch.setattr(torch.distributed, "all_gather_object", all_gather_object)
    monkeypatch.setattr(torch.distributed, "barrier", meet.wait)
    monkeypatch.setattr(torch.accelerator, "current_device_index", lambda: 0)
    for name in ("synchronize", "ipc_collect"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    stream = SimpleNamespace(synchronize=lambda: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    packed = "vllm.distributed.weight_transfer.packed_tensor"
    monkeypatch.setattr(f"{packed}.torch", TorchWith(empty=shared_memory))
    monkeypatch.setattr(f"{packed}.reduce_tensor", lambda _: (None, (name_of_this_gpu(),)))
    monkeypatch.setattr("rollout.gpu_transfer.DEFAULT_PACKED_BUFFER_SIZE_BYTES", 16)
    return ThreadPoolExecutor(RANKS, thread_name_prefix="gpu")


class TorchWith:
    """The module torch with other functions in it."""

    def __init__(self, **others: Any) -> None:
        self.__dict__.update(others)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def test_every_sampler_gets_the_memory_of_the_learner_rank_on_its_gpu(
    ranks: ThreadPoolExecutor,
) -> None:
    from vllm.distributed.weight_transfer.ipc_engine import IPCWeightTransferEngine

    from rollout.gpu_transfer import ExportSource, SamplerClient, connect

    calls: list[tuple[str, Any]] = []
    both = threading.Barrier(RANKS, timeout=60)

    def call(method: str, arguments: Sequence[Any]) -> None:
        assert arguments[0] == arguments[1], "the same to both samplers"
        calls.append((method, arguments[0]))

    def export() -> Iterator[tuple[str, torch.Tensor]]:
        both.wait()  # an export is collective
        yield from TENSORS.items()

    def rank(index: int) -> None:
        client = SamplerClient(call, num_samplers=2, tensor_parallel=1)
        client.version = 7
        connect(
            "ipc",
            rank=index,
            address=("unused", 1),
            num_workers=2,
            client=client,
            source=ExportSource(export),
        ).send_weights()

    for done in [ranks.submit(rank, index) for index in range(RANKS)]:
        done.result(timeout=60)
    assert calls[0] == ("init_transfer", {"packed": True})
    assert calls[1][0] == "begin_update" and calls[-1] == ("finish_update", 7)
    assert {method for method, _ in calls[2:-1]} == {"receive"}
    updates = [IPCWeightTransferEngine.update_info_cls(**update) for _, update in calls[2:-1]]
    assert [update.names for update in updates] == [["a"], ["wide"], ["b"]], "as they fit"
    for update in updates:
        assert update.ipc_handles == {"gpu_0": ("gpu_0",), "gpu_1": ("gpu_1",)}
