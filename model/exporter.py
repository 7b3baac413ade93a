"""Full weights under the names of the Hugging Face checkpoint, one layer at a time.

Undoes what training did to the names and places of tensors: ZeRO-3 cut them into shards, expert
parallelism dealt the experts out and renamed them, transformers fused the experts on loading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, distributed, nn
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

LAYER_NAME = re.compile(r"model\.layers\.\d+\.")


def export_weights(
    engine: Any, causal_lm: PreTrainedModel, *, everywhere: bool = False
) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) in layer order on rank 0; on the others the same if everywhere, else nothing.
    Collective: every rank must iterate to the end. A tensor may be a view; it is valid until the
    next one is asked for.

    Parameters come in the dtype of the model, router biases in float32; tied weights come once.
    """
    for _, unit in groupby(_tensors(engine.module), key=lambda item: _unit(item[0])):
        full = _gather_unit(list(unit), engine.module)
        if everywhere or distributed.get_rank() == 0:
            yield from revert_weight_conversion(causal_lm, full).items()


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and saved buffers, by module: what belongs to one layer stands together."""
    tensors = []
    seen: set[int] = set()
    for prefix, part in module.named_modules():
        own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        for name, tensor in own:
            if id(tensor) in seen or name in part._non_persistent_buffers_set:
                continue
            seen.add(id(tensor))
            tensors.append((f"{prefix}.{name}", tensor))
    return tensors


def _unit(name: str) -> str:
    match = LAYER_NAME.match(name)
    return match.group() if match else name


def _gather_unit(unit: list[tuple[str, Tensor]], module: nn.Module) -> dict[str, Tensor]:
    """The tensors of one layer whole, named as transformers names them in memory."""
    import deepspeed

    shards = [tensor for _, tensor in unit if isinstance(tensor, nn.Parameter)]
    partitioned = [p for p in shards if hasattr(p, "ds_id")]
    with torch.no_grad(), deepspeed.zero.GatheredParameters(partitioned):
        # Gathered weights vanish at the end of the block.
        full = {name: t.detach().clone() if partitioned else t.detach() for name, t in unit}
    return _undo_expert_parallel(full, module)


def _undo_expert_parallel(tensors: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """AutoEP's names back to those of transformers, with the experts of all ranks.

    mlp.experts.w1, w3 [local E, I, D] and w2 [local E, D, I] become mlp.experts.gate_up_proj
    [E, 2 I, D] and mlp.experts.down_proj [E, D, I]; mlp.router.* becomes mlp.gate.*.
    """
    result: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(".experts.w1"):
            prefix = name.removesuffix("w1")
            layer = module.get_submodule(prefix.removesuffix(".experts."))
            w1, w2, w3 = (
                _gather_experts(tensors[prefix + part], layer.ep_group)
                for part in ("w1", "w2", "w3")
            )
            result[prefix + "gate_up_proj"] = torch.cat((w1, w3), dim=1)
            result[prefix + "down_proj"] = w2
        elif not name.endswith((".experts.w2", ".experts.w3")):
            name = name.replace(".mlp.router.gate.", ".mlp.gate.")
            result[name.replace(".mlp.router.", ".mlp.gate.")] = tensor
    return result


def _gather_experts(local: Tensor, group: Any) -> Tensor:
    """[local E, ...] of each rank of the group, in the order of ranks: [E, ...]."""
    size = distributed.get_world_size(group)
    gathered = [torch.empty_like(local) for _ in range(size)]
    distributed.all_gather(gathered, local.contiguous(), group=group)
    return torch.cat(gathered)
