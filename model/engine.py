"""A DeepSpeed engine around a policy: process group, configuration, numerics that it would change.

Some things differ from DeepSpeed's own reading of the settings:
- ZeRO 0 runs as ZeRO 1. Updates are the same; the optimiser state is sharded over the ranks. With
  its own stage 0 DeepSpeed would accumulate bfloat16 gradients in bfloat16.
- Gradients are clipped by model/gradients.py: DeepSpeed's norm of expert-parallel gradients
  depends on how the experts are spread.
- Rotary frequencies, router biases and the scores of experts are float32, as in the model itself.
"""

from __future__ import annotations

import datetime
import logging
import os
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from configs.errors import UserError
from configs.schema import LearnerSettings

REDUCE_BUCKET_ELEMENTS = 500_000_000
"""Most gradient elements reduced at once; DeepSpeed allocates the whole bucket at every step."""

COLLECTIVE_TIMEOUT = datetime.timedelta(minutes=60)
"""Longest wait inside one collective; the driver's step timeout is what normally decides."""


def start_process_group(
    *, rank: int, world_size: int, local_rank: int, address: str, device: str
) -> None:
    """Join the learner's process group at host:port. Before anything else of DeepSpeed."""
    host, port = address.rsplit(":", 1)
    os.environ["DS_ACCELERATOR"] = device
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE=str(world_size),
        LOCAL_RANK=str(local_rank),
        MASTER_ADDR=host,
        MASTER_PORT=port,
    )
    import deepspeed  # chooses its accelerator on import

    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    # An all-reduce for inference that nothing here calls; compiling it would take minutes and need
    # a C++ compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    if device == "cuda":
        torch.cuda.set_device(local_rank)
    deepspeed.init_distributed(
        dist_backend="nccl" if device == "cuda" else "gloo",
        auto_mpi_discovery=False,
        verbose=False,
        timeout=COLLECTIVE_TIMEOUT,
        init_method=f"tcp://{address}",
        rank=rank,
        world_size=world_size,
    )


def build_engine(policy: nn.Module, settings: LearnerSettings) -> Any:
    """Wrap a policy or a reward model; weights, optimiser state and gradients are spread as the
    settings say."""
    import deepspeed

    buffers = {name: buffer.clone() for name, buffer in policy.named_buffers()}
    parameters: Any = list(policy.parameters())
    config = deepspeed_config(
        settings,
        str(cast(Any, policy).config.model_type),
        num_parameters=sum(p.numel() for p in parameters),
    )
    engine: Any = deepspeed.initialize(model=policy, model_parameters=parameters, config=config)[0]
    _restore_buffers(engine.module, buffers)
    route_in_float32(engine.module)
    return engine


def deepspeed_config(
    settings: LearnerSettings, model_type: str, *, num_parameters: int
) -> dict[str, Any]:
    """The engine's configuration. Learning rate and accumulation are handled by the learner."""
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "optimizer": optimizer_config(settings),
        "zero_allow_untested_optimizer": True,
        "gradient_clipping": 0.0,
        "bf16": {"enabled": settings.dtype == "bfloat16"},
        "data_types": {"grad_accum_dtype": "fp32"},
        "communication_data_type": "fp32",
        "steps_per_print": None,
        "zero_optimization": {
            "stage": max(settings.zero_stage, 1),
            "overlap_comm": False,
            "reduce_bucket_size": min(num_parameters, REDUCE_BUCKET_ELEMENTS),
            # No weight stays gathered for good, or exchanging the shards with those of the
            # reference policy would not reach it.
            "stage3_param_persistence_threshold": 0,
        },
    }
    if settings.expert_parallel > 1:
        config["expert_parallel"] = _expert_parallel_config(settings, model_type)
    return config


def optimizer_config(settings: LearnerSettings) -> dict[str, Any]:
    """Torch's AdamW; the learning rate here is a placeholder, set anew before each step."""
    parameters = {
        "lr": settings.learning_rate,
        "betas": list(settings.betas),
        "eps": 1e-8,
        "weight_decay": settings.weight_decay,
        "torch_adam": True,
        "fused": True,  # one pass over memory instead of eight, on CPUs too
    }
    return {"type": "AdamW", "params": parameters}


def _expert_parallel_config(settings: LearnerSettings, model_type: str) -> dict[str, Any]:
    from deepspeed.module_inject.auto_ep_presets.registry import preset_name_for_hf_model_type

    preset = preset_name_for_hf_model_type(model_type)
    if preset is None:
        raise UserError(
            f"learner.expert_parallel={settings.expert_parallel}: DeepSpeed cannot split the "
            f"experts of model_type {model_type}; set learner.expert_parallel=1"
        )
    if settings.ranks % settings.expert_parallel != 0:
        raise UserError(
            f"learner.expert_parallel={settings.expert_parallel}: must divide "
            f"learner.ranks={settings.ranks}"
        )
    return {
        "enabled": True,
        "autoep_size": settings.expert_parallel,
        "preset_model": preset,
        # DeepSpeed's grouped kernels need a GPU.
        "use_grouped_mm": torch.cuda.is_available(),
    }


def route_in_float32(module: nn.Module) -> None:
    """With expert parallelism DeepSpeed scores experts in the model's dtype. Bfloat16 takes scores
    that differ by less than 0.4 % for equal, and other experts than the model's own router, which
    multiplies in float32."""
    from deepspeed.moe.ep_router import TokenChoiceTopKRouter

    for router in module.modules():
        if isinstance(router, TokenChoiceTopKRouter):
            router.gate.forward = partial(_float32_linear, router.gate)


def _float32_linear(linear: nn.Linear, input: Tensor) -> Tensor:
    bias = None if linear.bias is None else linear.bias.float()
    return nn.functional.linear(input.float(), linear.weight.float(), bias)


def _restore_buffers(module: nn.Module, originals: Mapping[str, Tensor]) -> None:
    """DeepSpeed casts buffers to bfloat16 with the weights, which would shift rotary frequencies
    and router biases by up to 0.4 %. Expert parallelism renames the router."""
    for name, buffer in module.named_buffers():
        original = originals.get(name.replace(".mlp.router.", ".mlp.gate."))
        if original is not None:
            buffer.data = original.to(buffer.device)
