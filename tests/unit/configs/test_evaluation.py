"""Settings of an evaluation: the paper's defaults, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.compose import load_eval_config
from configs.errors import UserError
from configs.evaluation import check_eval


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 40_000}))
    (folder / "model.safetensors").touch()
    (folder / "tokenizer_config.json").touch()
    return folder


def test_defaults_are_the_papers(model: Path) -> None:
    config = load_eval_config(str(model), ["benchmark=aime_2024"])
    assert (config.temperature, config.top_p, config.max_tokens) == (0.6, 0.95, 32768)
    assert config.samples == 0, "the number of each benchmark"
    assert config.template == "chat"
    assert config.run_dir == "runs/eval-model"
    check_eval(config)


def test_values_and_names(model: Path) -> None:
    words = ["benchmark=gsm8k, nano,gsm8k", "temperature=0", "engine.samplers=2", "run_dir=a,b=c"]
    config = load_eval_config(str(model), words)
    assert config.benchmarks == ("gsm8k", "nano")
    assert (config.temperature, config.engine.samplers, config.run_dir) == (0.0, 2, "a,b=c")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("temprature=1", "unknown key 'temprature'; did you mean 'temperature'?"),
        ("engine.sampler=2", "unknown key 'engine.sampler'; did you mean 'engine.samplers'?"),
        ("rollout.samplers=2", "unknown key 'rollout.samplers'; did you mean 'engine.samplers'?"),
        ("recipe=r1_zero", "unknown key 'recipe'"),
        ("temperature=hot", "temperature=hot: must be a number"),
        ("temperature=-1", "temperature=-1: must be greater than or equal to 0"),
        ("samples=1.5", "samples=1.5: must be a whole number"),
        ("template=chatt", "template=chatt: must be 'chat' or 'r1_zero'; did you mean 'chat'?"),
        ("cluster=local_gpu", "cluster=local_gpu: is a group of settings; set the keys below it"),
        ("nano", "'nano' is not a setting; write key=value"),
    ],
)
def test_mistakes(model: Path, word: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        load_eval_config(str(model), ["benchmark=nano", word])
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_a_benchmark_must_be_named(model: Path) -> None:
    with pytest.raises(UserError, match="benchmark is not set: Names of benchmarks, separated by"):
        load_eval_config(str(model), [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["max_tokens=40000"], r"max_tokens=40000: must be below the 40000 positions of the model"),
        (["engine.tensor_parallel=2"], r"engine.tensor_parallel=2: needs cluster.device=cuda"),
        (
            ["benchmark=a,b", "data.path=x.jsonl"],
            r"data.path=x.jsonl: is the file of one benchmark, and benchmark names 2",
        ),
        (["run_dir=/proc/1/x"], r"run_dir=/proc/1/x: cannot be written"),
    ],
)
def test_rules_over_several_settings(model: Path, words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_eval(load_eval_config(str(model), ["benchmark=nano", *words]))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer_config.json"])
def test_an_incomplete_model_is_named(model: Path, missing: str) -> None:
    (model / missing).unlink()
    with pytest.raises(UserError, match=rf"model: no .*{missing[-5:]}.* in it; a model folder"):
        check_eval(load_eval_config(str(model), ["benchmark=nano"]))


def test_a_run_folder_leads_to_its_model(model: Path, tmp_path: Path) -> None:
    model.rename(tmp_path / "final")
    with pytest.raises(UserError, match=r"a model folder is needed: name .*/final$"):
        check_eval(load_eval_config(str(tmp_path), ["benchmark=nano"]))


def test_a_missing_model_is_named() -> None:
    with pytest.raises(UserError, match="nowhere/x: no such folder; name a Hugging Face model"):
        check_eval(load_eval_config("nowhere/x", ["benchmark=nano"]))
