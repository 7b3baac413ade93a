"""The receiving end of a weight update inside a vLLM engine on the CPU.

vLLM imports this file by name when an engine with the transfer backend "ray" starts; the
sampler registers it. The bytes themselves are carried by the caller (rollout/weight_transfer.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.model_executor.layers.fused_moe.routed_experts import RoutedExperts
from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding
from vllm.model_executor.model_loader.mtp_validation import disable_mtp_completeness_check
from vllm.model_executor.model_loader.reload import (
    finalize_layerwise_reload,
    initialize_layerwise_reload,
)

from rollout.weight_transfer import WeightChunk, decode_chunk


@dataclass
class NoInitInfo(WeightTransferInitInfo):
    """Nothing to agree on beforehand: the caller hands the bytes over."""


@dataclass
class ChunkUpdateInfo(WeightTransferUpdateInfo):
    chunk: WeightChunk


class CpuTransferEngine(WeightTransferEngine[NoInitInfo, ChunkUpdateInfo]):
    """Loads chunks layer by layer into the tensors the model already has."""

    init_info_cls = NoInitInfo
    update_info_cls = ChunkUpdateInfo

    def init_transfer_engine(self, init_info: NoInitInfo) -> None:
        pass

    def start_weight_update(self) -> None:
        initialize_layerwise_reload(self.model)

    def update_weights(self, update_info: dict[str, Any]) -> None:
        # The base class also synchronises an accelerator, which a CPU does not have.
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: ChunkUpdateInfo) -> None:
        with disable_mtp_completeness_check():
            cast(Any, self.model).load_weights(decode_chunk(update_info.chunk))

    def finish_weight_update(self) -> None:
        finalize_layerwise_reload(self.model, self.model_config)
        with torch.no_grad():
            for module in self.model.modules():
                _repack(module)

    def shutdown(self) -> None:
        pass


def _repack(module: torch.nn.Module) -> None:
    """The CPU kernels compute with packed copies of some weights, made when the model is loaded.
    vLLM does not make them again after an update and would go on with the old weights:

    - experts, packed by the fused-experts kernel;
    - the output head, where tied embeddings share one tensor with the input embedding.
    """
    if isinstance(module, RoutedExperts):
        kernel = module.quant_method.moe_kernel
        assert kernel is not None, "vLLM computes these experts without a kernel of its own"
        kernel.fused_experts.process_weights_after_loading(module)
    elif isinstance(module, VocabParallelEmbedding):
        module.quant_method.process_weights_after_loading(module)
