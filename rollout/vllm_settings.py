"""How vLLM is run: our settings as its arguments and environment variables, in one place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

# Bound here, because vLLM's CPU worker replaces it in torch by a function that does nothing.
from torch import set_num_threads
from vllm import EngineArgs
from vllm.config import WeightTransferConfig
from vllm.distributed.weight_transfer import WeightTransferEngineFactory
from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

from configs.errors import UserError
from configs.schema import RolloutSettings

Device = Literal["cpu", "cuda"]
TRANSFERS: dict[Device, tuple[str, ...]] = {"cpu": ("ray",), "cuda": ("nccl", "ipc")}

CPU_BLOCK_TOKENS = 32
"""Tokens per block of the KV cache on the CPU. Only whole blocks of a prompt can be shared
between its samples, and vLLM's default there, 128, is longer than many prompts."""

CPU_STEP_TOKENS = 2048
"""Most prompt tokens computed in one step of the engine on the CPU."""

WeightTransferEngineFactory.register_engine(
    "ray", "rollout.cpu_transfer_engine", "CpuTransferEngine"
)


def engine_args(
    folder: Path, settings: RolloutSettings, *, device: Device, max_model_len: int, seed: int
) -> EngineArgs:
    """vLLM's settings for ours."""
    if device == "cpu":
        place = {
            "distributed_executor_backend": "uni",
            "kv_cache_memory_bytes": int(settings.kv_cache_gib * 2**30),
            "block_size": CPU_BLOCK_TOKENS,
            "enforce_eager": True,
            # vLLM crashes on the CPU when it splits the prompt of a request with its own seed.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(CPU_STEP_TOKENS, max_model_len),
        }
    else:
        place = {
            "distributed_executor_backend": "mp" if settings.tensor_parallel > 1 else "uni",
            "gpu_memory_utilization": settings.gpu_memory_fraction,
            "enable_sleep_mode": True,
        }
    return EngineArgs(
        model=str(folder),
        skip_tokenizer_init=True,
        # Otherwise top_k and the like of the model's generation_config.json would apply.
        generation_config="vllm",
        dtype=settings.dtype,
        seed=seed,
        max_model_len=max_model_len,
        max_num_seqs=settings.max_concurrent,
        tensor_parallel_size=settings.tensor_parallel,
        # Of the distribution that was sampled from, after temperature and top-p.
        logprobs_mode="processed_logprobs",
        enable_prefix_caching=True,
        # The order in which requests run must not depend on how long a step took.
        async_scheduling=False,
        # Or it would score experts in bfloat16, and take others than the learner.
        hf_overrides={"moe_router_dtype": "float32"} if settings.dtype == "bfloat16" else {},
        weight_transfer_config=WeightTransferConfig(backend=settings.transfer),
        log_level="WARNING",
        **place,
    )


def refuse_head_size(head_size: int) -> None:
    supported = CPUAttentionBackend.get_supported_head_sizes()
    if head_size not in supported:
        raise UserError(
            f"model.path: attention heads of {head_size} elements; vLLM's CPU kernels know only "
            f"{', '.join(map(str, supported))}: take another model or cluster.device=cuda"
        )


def set_environment(device: Device, threads: int) -> None:
    """The environment variables vLLM is run with; it reads them while the engine starts."""
    # The scheduler runs in this process: its steps can be driven one by one, and on the CPU it
    # starts in 3 s instead of 37 s.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    os.environ["VLLM_NO_USAGE_STATS"] = "1"
    if device == "cpu":
        # It would override rollout.kv_cache_gib.
        os.environ.pop("VLLM_CPU_KVCACHE_SPACE", None)
        # Without it vLLM goes down to one thread whatever was set before.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        set_num_threads(threads)
        # The CPU kernels for multi-head latent attention know only heads of 512 + 64 elements.
        # It is computed as ordinary attention instead, for any size of heads.
        os.environ["VLLM_MLA_DISABLE"] = "1"
