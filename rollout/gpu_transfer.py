"""The learner's end of a weight update between GPUs, on vLLM's own transfer engines.

    nccl  learner and samplers on different GPUs: rank 0 of the learner broadcasts
    ipc   on the same GPUs: every learner rank copies the whole weights, part by part, into memory
          of its GPU, which the sampler's worker there finds under the GPU's name

Every learner rank connects once and calls send_weights() for each update; rank 0 drives the
samplers through SamplerClient, whose begin_update, receive and finish_update are those of the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, Literal

from torch import Tensor
from vllm.distributed.weight_transfer import (
    ParamMeta,
    TrainerWeightTransferEngine,
    WeightSource,
    WeightTransferTrainerFactory,
)
from vllm.distributed.weight_transfer.base import WeightTransferUpdatePayload
from vllm.distributed.weight_transfer.ipc_engine import IPCTrainerInitInfo
from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo
from vllm.distributed.weight_transfer.packed_tensor import DEFAULT_PACKED_BUFFER_SIZE_BYTES

CallSamplers = Callable[[str, Sequence[Any]], None]
"""Calls the method of this name on every sampler, one argument each, and waits for all."""


class ExportSource(WeightSource):
    """The learner's export as vLLM's trainer engines want it: re-iterable, described beforehand."""

    def __init__(self, export: Callable[[], Iterator[tuple[str, Tensor]]]) -> None:
        self._export = export
        self._metadata: list[ParamMeta] | None = None

    def metadata(self) -> list[ParamMeta]:
        """Costs one export the first time; what it describes never changes."""
        if self._metadata is None:
            self._metadata = [
                ParamMeta(name, tensor.dtype, tuple(tensor.shape))
                for name, tensor in self._export()
            ]
        return self._metadata

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        return self._export()


class SamplerClient:
    """vLLM's control plane (its VLLMWeightSyncClient protocol), as calls of our samplers."""

    def __init__(self, call: CallSamplers, num_samplers: int, tensor_parallel: int) -> None:
        self._call = call
        self._num_samplers = num_samplers
        self._tensor_parallel = tensor_parallel
        self.version = 0
        """Version of the next update; to be set before send_weights()."""

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        infos = [dict(init_info) for _ in range(self._num_samplers)]
        if "rank_offset" in init_info:
            # vLLM numbers the workers of one engine; ours follow each other in one group.
            for index, info in enumerate(infos):
                info["rank_offset"] += index * self._tensor_parallel
        self._call("init_transfer", infos)

    def start_weight_update(self) -> None:
        self._call("begin_update", [None] * self._num_samplers)

    def update_weights(self, update_info: WeightTransferUpdatePayload) -> None:
        assert isinstance(update_info, dict), "these transfers send all workers the same"
        self._call("receive", [update_info] * self._num_samplers)

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        assert weight_version is None, "versions are counted by the driver"
        self._call("finish_update", [self.version] * self._num_samplers)


def connect(
    transfer: Literal["nccl", "ipc"],
    *,
    rank: int,
    address: tuple[str, int],
    num_workers: int,
    client: SamplerClient,
    source: ExportSource,
) -> TrainerWeightTransferEngine:
    """To be called on every learner rank. address: host and free port of rank 0. num_workers: GPUs
    of all samplers together."""
    if transfer == "nccl":
        host, port = address
        # One sender and all workers; the other learner ranks only take part in the export.
        info = NCCLTrainerInitInfo(
            rank=rank, master_address=host, master_port=port, world_size=1 + num_workers
        )
    else:
        # vLLM refuses a tensor above its buffer, such as a large embedding.
        largest = max(prod(meta.shape) * meta.dtype.itemsize for meta in source.metadata())
        buffer = max(largest, DEFAULT_PACKED_BUFFER_SIZE_BYTES)
        info = IPCTrainerInitInfo(rank=rank, packed=True, packed_buffer_size_bytes=buffer)
    return WeightTransferTrainerFactory.trainer_init(info, client=client, source=source)
