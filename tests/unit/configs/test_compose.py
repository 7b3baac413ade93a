"""Composition: every shipped option loads, and every mistake is one clear line."""

from __future__ import annotations

import itertools

import pytest

from configs.compose import from_yaml, group_options, load_config, setting_paths, to_yaml
from configs.errors import UserError
from configs.schema import FolderModel, RunConfig

NEEDED = {
    ("model", "folder"): ["model.path=some/folder"],
    ("data", "gsm8k"): ["data.path=some.jsonl"],
}
"""Settings without a default, by the option that asks for them."""


def problems_of(*overrides: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        load_config(overrides)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("group", "option"),
    [(group, option) for group, options in group_options().items() for option in options],
)
def test_every_shipped_yaml_file_loads(group: str, option: str) -> None:
    assert isinstance(
        load_config([f"{group}={option}", *NEEDED.get((group, option), [])]), RunConfig
    )


def test_every_recipe_loads_with_every_model() -> None:
    options = group_options()
    for recipe, model in itertools.product(options["recipe"], options["model"]):
        needed = NEEDED.get(("model", model), [])
        config = load_config([f"recipe={recipe}", f"model={model}", *needed])
        assert config.run_dir == f"runs/{recipe}-{model}"


def test_every_scale_file_belongs_to_a_recipe_and_a_model() -> None:
    options = group_options()
    pairs = itertools.product(options["recipe"], options["model"])
    assert set(options["scale"]) <= {f"{recipe}_{model}" for recipe, model in pairs}


def test_every_setting_has_a_docstring() -> None:
    undocumented = [path for path, field in setting_paths().items() if not field.description]
    assert undocumented == []


def test_defaults_are_the_papers() -> None:
    config = load_config(["model=folder", "model.path=m"])
    assert config.rollout.prompts_per_step * config.rollout.samples_per_prompt == 8192
    assert config.recipe.steps * config.learner.mini_batches == 10_400
    assert (config.learner.learning_rate, config.algorithm.kl_coef) == (3e-6, 0.001)
    assert config.algorithm.reference_refresh_updates == 400


def test_scale_overlay_shrinks_the_recipe_and_leaves_the_rest() -> None:
    paper, nano = load_config(["model=folder", "model.path=m"]), load_config(["model=nano_v3"])
    assert nano.rollout.prompts_per_step < paper.rollout.prompts_per_step
    assert nano.algorithm.loss == paper.algorithm.loss
    assert nano.algorithm.kl_coef == paper.algorithm.kl_coef == 0.001


def test_precedence_setting_over_group_over_scale() -> None:
    assert load_config([]).learner.mini_batches != 1
    assert load_config(["algorithm=rloo"]).learner.mini_batches == 1
    assert load_config(["learner.mini_batches=2", "algorithm=rloo"]).learner.mini_batches == 2


def test_values_of_all_shapes() -> None:
    config = load_config(
        ["learner.betas=[0.9,0.95]", "rollout.max_tokens_schedule={8200: 65536}", "+seed=3"]
    )
    assert config.learner.betas == (0.9, 0.95)
    assert config.rollout.max_tokens_schedule == {8200: 65536}
    assert config.seed == 3


@pytest.mark.parametrize("path", ["/a b/c (1), d=e.x", "it's", "c:\\d", "'quoted already'", "7"])
def test_paths_may_hold_any_character(path: str) -> None:
    config = load_config(["model=folder", f"model.path={path}"])
    assert isinstance(config.model, FolderModel)
    assert config.model.path == path.strip("'")


def test_yaml_round_trip() -> None:
    config = load_config(["rollout.max_tokens_schedule={100: 128}", "algorithm=dapo"])
    assert from_yaml(to_yaml(config)) == config


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "learner.learning_rat=1",
            "unknown key 'learner.learning_rat'; did you mean 'learner.learning_rate'?",
        ),
        (
            "+learner.learning_rat=1",
            "unknown key 'learner.learning_rat'; did you mean 'learner.learning_rate'?",
        ),
        ("algorthm.loss=grpo", "unknown key 'algorthm.loss'; did you mean 'algorithm.loss'?"),
        ("steps=3", "unknown key 'steps'; did you mean 'recipe.steps'?"),
        ("modle=nano_v3", "unknown key 'modle'; did you mean 'model'?"),
        ("tracking.colour=red", "unknown key 'tracking.colour'; the keys of tracking are: wandb,"),
        ("hydra.run.dir=x", "unknown key 'hydra.run.dir'"),
        ("model=nano", "unknown option model=nano; choose one of: deepseek_v3, folder, "),
        ("model=nano", "did you mean 'nano_v3'?"),
        ("scale=r1_zero_nano", "unknown option scale=r1_zero_nano; choose one of: "),
        ("model.path=x", "model.path is no setting of model.kind=nano"),
        ("learner.ranks=two", "learner.ranks=two: must be a whole number"),
        ("learner.ranks=2.5", "learner.ranks=2.5: must be a whole number"),
        ("learner.ranks='2'", "learner.ranks=2: must be a whole number"),
        ("learner.ranks=0", "learner.ranks=0: must be greater than or equal to 1"),
        ("learner.offload=1", "learner.offload=1: must be true or false"),
        ("rollout.samples_per_prompt=1", "rollout.samples_per_prompt=1: must be greater than or"),
        ("algorithm.loss=grpoo", "did you mean 'grpo'?"),
        ("model=folder", "model.path is not set: A folder with config.json"),
        ("model.kind=fodler", "model.kind=fodler: must be 'nano', 'folder'."),
        ("learner.ranks", "'learner.ranks' is not a setting; write key=value"),
        ("~learner", "'~learner' is not a setting; write key=value"),
        ("learner.ranks=1,2", "cannot read the settings: Ambiguous value"),
        ("learner.ranks=${x}", "cannot read the settings: Interpolation key 'x' not found"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(override: str, expected: str) -> None:
    (problem,) = problems_of(override)
    assert expected in problem


def test_every_mistake_is_named() -> None:
    problems = problems_of("learner.ranks=two", "learner.learning_rate=-1", "seed=-1")
    assert [problem.split("=")[0] for problem in problems] == [
        "seed",
        "learner.learning_rate",
        "learner.ranks",
    ]
