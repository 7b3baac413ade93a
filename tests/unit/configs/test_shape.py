"""Counts in closed form against published numbers; tests/unit/model/test_shape.py compares them
with real models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs.compose import load_config
from configs.schema import FolderModel
from configs.shape import NANO_FACTS, ModelShape, read_facts, shape_from_facts


def shape_of(name: str) -> ModelShape:
    model = load_config([f"model={name}"]).model
    assert isinstance(model, FolderModel)
    shape = shape_from_facts(model.shape)
    assert shape is not None
    return shape


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("qwen2_5_7b", 7_615_616_512),  # its safetensors files hold 15,231,233,024 bytes
        ("qwen2_5_32b", 32_763_876_352),  # published as 32.5B, and 31.0B without the embeddings
        ("llama_3_1_8b", 8_030_261_248),
        ("deepseek_v3", 671_026_404_352),  # published as 671B
    ],
)
def test_parameters_of_known_models(name: str, parameters: int) -> None:
    assert shape_of(name).parameters == parameters


def test_deepseek_v3_has_37_billion_active_parameters() -> None:
    """Of 256 routed experts in each of 58 layers, 8 work: 248 of 3 x 7168 x 2048 rest."""
    shape = shape_of("deepseek_v3")
    resting = 58 * 248 * 3 * 7168 * 2048
    assert shape.active == 671_026_404_352 - resting == 37_552_282_624
    assert shape.multiplied == shape.active - 129280 * 7168


def test_deepseek_v3_mtp_is_apart() -> None:
    """One more layer with 256 experts, two states side by side onto one, three norms: 11.5B
    parameters beside the projection."""
    shape = shape_of("deepseek_v3")
    assert shape.mtp - 2 * 7168 * 7168 == pytest.approx(11.5e9, rel=2e-3)


def test_caches() -> None:
    assert shape_of("deepseek_v3").cache == 576
    assert shape_of("qwen2_5_7b").cache == 2 * 4 * 128
    assert shape_of("llama_3_1_8b").cache == 2 * 8 * 128


def test_a_dense_model_is_active_as_a_whole() -> None:
    shape = shape_of("qwen2_5_7b")
    assert shape.active == shape.parameters
    assert shape.multiplied == shape.parameters - 152064 * 3584


@pytest.mark.parametrize(
    "entries", [{"model_type": "gemma3"}, {"attention_bias": True}, {"model_type": None}]
)
def test_what_is_not_counted_in_closed_form(entries: dict[str, Any]) -> None:
    assert shape_from_facts({**NANO_FACTS, **entries}) is None


def test_quantised_weights_count_like_others() -> None:
    quantised = {**NANO_FACTS, "quantization_config": {"quant_method": "fp8"}}
    assert shape_from_facts(quantised) == shape_from_facts(NANO_FACTS)


def test_mtp_counts_only_when_the_weights_have_it(tmp_path: Path) -> None:
    facts = {**NANO_FACTS, "num_nextn_predict_layers": 1}
    (tmp_path / "config.json").write_text(json.dumps(facts))
    without = shape_from_facts(read_facts(tmp_path))
    assert without is not None and without.mtp == 0
    index = {"weight_map": {"model.layers.3.eh_proj.weight": "model-00001-of-00001.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with_it = shape_from_facts(read_facts(tmp_path))
    assert with_it is not None and with_it.mtp > 0
    assert with_it.parameters == without.parameters
