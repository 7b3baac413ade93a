"""Closed forms and counts against models that transformers builds, to the last parameter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from configs.compose import load_config
from configs.errors import UserError
from configs.schema import FolderModel
from configs.shape import NANO_FACTS, shape_from_facts
from model.shape import count_shape
from recipes.nano_base import new_model

SMALL = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "tie_word_embeddings": False,
}


def parameters_of(facts: dict[str, Any]) -> dict[str, int]:
    entries = dict(facts)
    config = AutoConfig.for_model(entries.pop("model_type"), **entries)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
    return {name: parameter.numel() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize(
    "entries",
    [
        {"model_type": "llama"},
        {"model_type": "llama", "tie_word_embeddings": True},
        {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
        {"model_type": "mistral"},
        {"model_type": "qwen2", "head_dim": 16},
        {"model_type": "qwen3"},
        {"model_type": "qwen3", "attention_bias": True, "tie_word_embeddings": True},
    ],
)
def test_closed_form_is_what_transformers_builds(entries: dict[str, Any]) -> None:
    facts = {**SMALL, **entries}
    shape = shape_from_facts(facts)
    assert shape is not None
    assert shape.parameters == sum(parameters_of(facts).values())
    # Counting on the model itself finds the same in every field.
    assert count_shape(facts) == shape


@pytest.mark.parametrize("name", ["qwen2_5_7b", "qwen2_5_32b", "llama_3_1_8b", "deepseek_v3"])
def test_known_models_are_what_transformers_builds(name: str) -> None:
    model = load_config([f"model={name}"]).model
    assert isinstance(model, FolderModel)
    shape = shape_from_facts(model.shape)
    assert shape is not None
    counts = parameters_of(model.shape)
    assert shape.parameters == sum(counts.values())
    assert shape.routed == sum(n for name, n in counts.items() if ".experts." in name)


def test_deepseek_without_low_rank_queries() -> None:
    facts = {**NANO_FACTS, "q_lora_rank": None}
    shape = shape_from_facts(facts)
    assert shape is not None
    assert shape.parameters == sum(parameters_of(facts).values())


def test_nano_facts_are_those_of_the_nano_model() -> None:
    model = new_model(seed=0)
    assert {key: getattr(model.config, key) for key in NANO_FACTS} == NANO_FACTS
    shape = shape_from_facts(NANO_FACTS)
    assert shape is not None
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    assert count_shape(NANO_FACTS) == shape


def test_experts_of_another_family_are_counted() -> None:
    """Mixtral: each of 8 experts has three matrices of 64 x 96; two work on a token."""
    facts = {**SMALL, "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2}
    shape = count_shape(facts)
    assert shape.routed == 3 * 8 * 3 * 64 * 96
    assert shape.routed_layers == 3
    assert shape.active == shape.parameters - 3 * 6 * 3 * 64 * 96
    assert shape.parameters == sum(parameters_of(facts).values())


def test_an_unknown_family_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="model_type nonsense is not known"):
        count_shape({"model_type": "nonsense"})
