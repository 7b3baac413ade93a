"""Settings of the runs that make data: what loads, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.checks import check_files, check_settings
from configs.compose import load_config
from configs.errors import UserError
from configs.pipeline import EvaluationConfig
from configs.plan import describe_plan
from configs.schema import SampledDataConfig
from launch.cli import main

PROBLEMS = ("data=problems", "data.path=x")
COLD, REJECTION = "recipe=r1/cold_start_data", "recipe=r1/rejection_sampling"


def load(*words: str) -> SampledDataConfig:
    config = load_config(words)
    assert isinstance(config, SampledDataConfig)
    return config


def test_the_papers_values_and_the_nano_ones() -> None:
    real = ["model=folder", "model.path=m", "data=gsm8k", "data.path=x"]
    cold, rejection = load(COLD, *real), load(REJECTION, *real)
    assert (cold.rollout.temperature, cold.rollout.max_tokens) == (1.0, 32768)
    assert (cold.reward.format_form, rejection.reward.format_form) == ("answer_tags", "think_tags")
    assert cold.recipe.filters.code_blocks and not rejection.recipe.filters.code_blocks
    assert (cold.recipe.rewriter.by, cold.data.template) == ("none", "r1_zero")
    assert rejection.data.template == "chat"
    nano = load(COLD)
    assert nano.run_dir == "runs/r1-cold_start_data-nano_v3"
    assert (nano.recipe.rewriter.by, nano.rollout.max_tokens) == ("rule", 48)


@pytest.mark.parametrize("scale", ["", "nano_v3"])
@pytest.mark.parametrize("stage", ["cold_start_data", "rejection_sampling"])
def test_nothing_that_the_pipeline_evaluates_on_is_trained_on(stage: str, scale: str) -> None:
    def recipe(name: str) -> list[str]:
        return [f"recipe=r1/{name}", *([f"scale=r1/{name}_{scale}"] if scale else [])]

    real = [] if scale else ["model=folder", "model.path=m"]
    data = load_config([*recipe(stage), *real])
    evaluation = load_config([*recipe("evaluation"), "models.r1.path=m"])
    assert isinstance(data, SampledDataConfig) and isinstance(evaluation, EvaluationConfig)
    assert data.recipe.decontaminate == evaluation.recipe.benchmark
    assert evaluation.recipe.max_tokens == (96 if scale else 32768)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["recipe.rewriter.by=endpoint"], "recipe.rewriter.by=endpoint: needs recipe.rewriter.url"),
        (["recipe.judge.by=model"], "recipe.judge.model='': no model folder"),
        (["rollout.tensor_parallel=2"], "rollout.tensor_parallel=2: needs cluster.device=cuda"),
        (["recipe.reviewed=x"], "recipe.reviewed=x: needs recipe.review=true"),
        (["recipe.review=true", "recipe.reviewed=/no"], "recipe.reviewed=/no: no such file"),
        (["data=problems", "data.path=x.jsonl"], "recipe.rewriter.by=rule: is for data=nano"),
        (
            ["data=problems", "data.path=x", "data.checker=judge"],
            "data.checker=judge: needs recipe.judge.by=endpoint or model",
        ),
    ],
)
def test_mistakes_are_one_line_each(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        check_settings(load(COLD, *words))
    assert any(line.startswith(said) for line in str(caught.value).splitlines())


def test_problem_files_are_looked_for(tmp_path: Path) -> None:
    words = [COLD, "data=problems", f"run_dir={tmp_path}/run", "recipe.rewriter.by=none"]
    with pytest.raises(UserError, match=r"data\.path=no\.jsonl: no such file"):
        check_files(load(*words, "data.path=no.jsonl"))
    (tmp_path / "yes.jsonl").touch()
    check_files(load(*words, f"data.path={tmp_path}/yes.jsonl"))
    check_files(load(*words, "data.path=owner/name"))


def test_general_conversations_are_looked_for(tmp_path: Path) -> None:
    run = [REJECTION, "model=nano_v3", f"run_dir={tmp_path}/run"]
    with pytest.raises(UserError, match=r"recipe\.general=no\.jsonl: no such file; name a \.jsonl"):
        check_files(load(*run, "recipe.general=no.jsonl"))
    (tmp_path / "yes.jsonl").touch()
    for general in (f"{tmp_path}/yes.jsonl", "owner/name", "nano", "''"):
        check_files(load(*run, f"recipe.general={general}"))


def test_answers_in_words_are_no_reward() -> None:
    with pytest.raises(UserError, match=r"data\.checker=judge: no rule gives these answers"):
        check_settings(
            load_config([*PROBLEMS, "model=folder", "model.path=m", "data.checker=judge"])
        )


def test_what_training_has_is_no_setting_here() -> None:
    with pytest.raises(UserError, match=r"learner is no setting of recipe\.kind=sampled_data|lear"):
        load_config([COLD, "learner.ranks=2"])
    with pytest.raises(UserError, match=r"rollout\.prompts_per_step is no setting"):
        load_config([COLD, "rollout.prompts_per_step=2"])


def test_the_dry_run_and_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert "8 samples of at most 48 tokens for each of 2,048 problems" in describe_plan(load(COLD))
    assert main(["run", "r1/cold_start_data", "--dry-run"]) == 0
    assert "sampled_data" in capsys.readouterr().out
    for command in ("plan", "check"):
        assert main([command, "r1/cold_start_data"]) == 2
        assert f"launch {command} knows runs that train" in capsys.readouterr().err
