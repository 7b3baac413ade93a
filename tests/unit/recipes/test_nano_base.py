import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import recipes.nano_base
from configs.schema import NanoModel
from recipes.nano_base import build_base, pretrain

STEPS = 2


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> NanoModel:
    return NanoModel(pretrain_steps=STEPS, cache_dir=str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def built(settings) -> tuple[Path, list[tuple[int, int, float]]]:
    reports: list[tuple[int, int, float]] = []
    return build_base(settings, lambda *report: reports.append(report)), reports


def test_the_folder_is_a_hugging_face_model(built):
    folder, reports = built
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["DeepseekV3ForCausalLM"]
    assert (config["topk_method"], config["scoring_func"]) == ("noaux_tc", "sigmoid")
    assert config["rope_parameters"]["rope_type"] == "yarn"
    assert config["rope_parameters"]["mscale_all_dim"] == 1.0
    assert config["kv_lora_rank"] + config["qk_rope_head_dim"] == 512 + 64
    # As in DeepSeek-V3, with fewer experts.
    routing = ("n_group", "topk_group", "n_shared_experts", "routed_scaling_factor")
    assert [config[key] for key in routing] == [4, 2, 1, 2.5]
    assert config["norm_topk_prob"] and config["rope_interleave"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) <= config["vocab_size"]
    assert [step for step, _, _ in reports] == [1, STEPS]
    assert all(steps == STEPS and 0 < loss < 7 for _, steps, loss in reports)


def test_the_saved_weights_are_those_that_were_trained(built, settings):
    loaded = AutoModelForCausalLM.from_pretrained(built[0]).state_dict()
    again = pretrain(settings).state_dict()
    assert set(loaded) == set(again)
    assert all(torch.equal(loaded[name], again[name]) for name in loaded)
    biases = [value for name, value in loaded.items() if name.endswith("correction_bias")]
    assert len(biases) == 2 and all(bias.abs().max() > 0 for bias in biases)


def test_another_seed_or_length_is_another_model(built, settings):
    fingerprint = recipes.nano_base._fingerprint
    others = [{"pretrain_seed": 1}, {"pretrain_steps": STEPS + 1}]
    found = {fingerprint(settings.model_copy(update=other)) for other in others}
    assert len(found | {fingerprint(settings)}) == 3
    assert fingerprint(settings.model_copy(update={"cache_dir": "x"})) == fingerprint(settings)


def test_a_complete_model_is_not_built_again(built, settings, monkeypatch):
    monkeypatch.setattr(recipes.nano_base, "pretrain", lambda *_: pytest.fail("built again"))
    assert build_base(settings) == built[0]


def test_an_interrupted_build_leaves_nothing_behind(tmp_path):
    class Interrupted(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    settings = NanoModel(pretrain_steps=STEPS, cache_dir=str(tmp_path))
    with pytest.raises(Interrupted):
        build_base(settings, interrupt)
    assert list(tmp_path.iterdir()) == []
