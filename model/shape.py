"""Sizes of a model of any family, counted on the model itself, which is built without memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from configs.errors import UserError
from configs.shape import ModelShape

ROUTED = re.compile(r"\.experts\.")
"""In the name of a parameter: it belongs to the routed experts."""
LAYER = re.compile(r"\.layers\.(\d+)\.")


def count_shape(facts: Mapping[str, Any]) -> ModelShape:
    """The shape of the model that a config.json describes.

    Raises UserError when transformers does not know its model_type.
    """
    config = _config(facts)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
    counts = {name: parameter.numel() for name, parameter in model.named_parameters()}
    routed = {name: count for name, count in counts.items() if ROUTED.search(name)}
    layers: dict[str, int] = {}  # without routed experts
    for name, count in counts.items():
        if (match := LAYER.search(name)) and name not in routed:
            layers[match.group(1)] = layers.get(match.group(1), 0) + count
    embedding = model.get_input_embeddings().weight
    heads = config.num_attention_heads
    query, value, cache, latent = _attention_widths(config, heads)
    experts, per_token = _experts(config)
    together = per_token + (getattr(config, "n_shared_experts", None) or 0)
    sparse_width = (getattr(config, "moe_intermediate_size", None) or 0) * together
    return ModelShape(
        family=config.model_type,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        vocabulary=embedding.shape[0],
        tied=model.get_output_embeddings().weight is embedding,
        query=query,
        value=value,
        latent=latent,
        heads=heads,
        cache=cache,
        mlp=max(config.intermediate_size, sparse_width),
        experts=experts if routed else 0,
        experts_per_token=per_token if routed else 0,
        parameters=sum(counts.values()),
        routed=sum(routed.values()),
        routed_layers=len({match.group(1) for name in routed if (match := LAYER.search(name))}),
        largest_unit=max(*layers.values(), embedding.numel()),
    )


def _config(facts: Mapping[str, Any]) -> Any:
    entries = dict(facts)
    try:
        return AutoConfig.for_model(entries.pop("model_type"), **entries)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"config.json: model_type {facts.get('model_type')} is not known to transformers; "
            "choose a model that is"
        ) from error


def _attention_widths(config: Any, heads: int) -> tuple[int, int, int, int]:
    """Queries, output, cache and latents; see ModelShape."""
    latent = getattr(config, "kv_lora_rank", None)
    if latent is None:
        width = getattr(config, "head_dim", None) or config.hidden_size // heads
        kv_heads = getattr(config, "num_key_value_heads", None) or heads
        return heads * width, heads * width, 2 * kv_heads * width, 0
    rope = config.qk_rope_head_dim
    query, value = heads * (config.qk_nope_head_dim + rope), heads * config.v_head_dim
    return query, value, latent + rope, (config.q_lora_rank or 0) + latent + rope


def _experts(config: Any) -> tuple[int, int]:
    """(routed experts of a layer, those that a token uses), under the names families give them."""
    names = ("n_routed_experts", "num_experts", "num_local_experts")
    experts = next((getattr(config, n) for n in names if getattr(config, n, None)), 0)
    return experts, getattr(config, "num_experts_per_tok", None) or 0
