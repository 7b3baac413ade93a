"""Composition: every shipped option loads, and every mistake is one clear line."""

from __future__ import annotations

import itertools

import pytest

from configs.compose import from_yaml, group_options, load_config, setting_paths, to_yaml
from configs.errors import UserError
from configs.pipeline import PipelineConfig, StageConfig
from configs.schema import RUN_KINDS, FolderModel, RlConfig, SftConfig

CHAT = ["data.path=some.jsonl"]
KUBERNETES = ["cluster.image=some/image", "cluster.runs_claim=some-claim"]
STUDENTS = ("qwen_1_5b", "qwen_7b", "qwen_14b", "qwen_32b", "llama_8b", "llama_70b")
NEEDED = {
    ("model", "folder"): ["model.path=some/folder"],
    ("data", "gsm8k"): ["data.path=some.jsonl"],
    ("data", "problems"): ["data.path=some.jsonl"],
    ("data", "chat"): ["recipe=sft", *CHAT],
    ("data", "preferences"): ["recipe=r1/reward_helpful", *CHAT],
    ("data", "nano_preferences"): ["recipe=r1/reward_helpful"],
    ("recipe", "r1/rl_all"): ["model.path=m"],
    ("recipe", "r1/reward_helpful"): CHAT,
    ("recipe", "r1/reward_safety"): CHAT,
    ("data", "nano_solutions"): ["recipe=sft"],
    ("cluster", "kubernetes"): KUBERNETES,
    ("cluster", "kubernetes_gpu"): KUBERNETES,
    ("recipe", "sft"): CHAT,
    ("recipe", "distill"): CHAT,
    ("recipe", "r1/sft_cold_start"): CHAT,
    ("recipe", "r1/sft_800k"): CHAT,
    ("recipe", "r1/distill"): [*CHAT, "model.path=some/folder"],
    ("recipe", "r1/rl_reasoning"): ["model.path=some/folder"],
    ("recipe", "r1/student_rl"): ["model.path=some/folder"],
    ("recipe", "r1/evaluation"): ["models.dev1.path=some/folder"],
    **{("recipe", f"distill_{name}"): [*CHAT, "model.path=some/folder"] for name in STUDENTS},
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
    config = load_config([f"{group}={option}", *NEEDED.get((group, option), [])])
    assert isinstance(config, StageConfig | PipelineConfig)


def test_every_kind_of_recipe_loads_with_every_model() -> None:
    """Each recipe of a kind has loaded with its own model above."""
    recipes = {
        "rl": "r1_zero",
        "sft": "sft",
        "reward_model": "r1/reward_helpful",
        "sampled_data": "r1/cold_start_data",
    }
    assert set(recipes) == set(RUN_KINDS)
    for recipe, model in itertools.product(recipes.values(), group_options()["model"]):
        needed = NEEDED.get(("recipe", recipe), []) + NEEDED.get(("model", model), [])
        config = load_config([f"recipe={recipe}", f"model={model}", *needed])
        assert config.run_dir == f"runs/{recipe.replace('/', '-')}-{model}"


def test_every_scale_file_belongs_to_a_recipe_and_a_model() -> None:
    options = group_options()
    pairs = itertools.product(options["recipe"], options["model"])
    assert set(options["scale"]) <= {f"{recipe}_{model}" for recipe, model in pairs}


def test_every_setting_has_a_docstring() -> None:
    undocumented = [path for path, field in setting_paths().items() if not field.description]
    assert undocumented == []


def load_rl(*overrides: str) -> RlConfig:
    config = load_config(overrides)
    assert isinstance(config, RlConfig)
    return config


def load_sft(*overrides: str) -> SftConfig:
    config = load_config(overrides)
    assert isinstance(config, SftConfig)
    return config


def test_defaults_are_the_papers() -> None:
    config = load_rl("model=folder", "model.path=m")
    assert config.rollout.prompts_per_step * config.rollout.samples_per_prompt == 8192
    assert config.recipe.steps * config.learner.mini_batches == 10_400
    assert (config.learner.learning_rate, config.algorithm.kl_coef) == (3e-6, 0.001)
    assert config.algorithm.reference_refresh_updates == 400


@pytest.mark.parametrize(
    ("recipe", "epochs", "batch_size", "rate", "final"),
    [
        ("sft", (2, 3), 128, 5e-5, 5e-6),
        ("distill_qwen_1_5b", (2, 3), 64, 1e-4, 1e-5),
        ("distill_qwen_7b", (2, 3), 64, 8e-5, 8e-6),
        ("distill_qwen_14b", (2, 3), 64, 7e-5, 7e-6),
        ("distill_qwen_32b", (2, 3), 64, 6e-5, 6e-6),
        ("distill_llama_8b", (2, 3), 64, 5e-5, 5e-6),
        ("distill_llama_70b", (2, 3), 64, 2e-5, 2e-6),
    ],
)
def test_fine_tuning_has_the_papers_values(
    recipe: str, epochs: tuple[int, int], batch_size: int, rate: float, final: float
) -> None:
    """R1's two rounds and Table 6 of arXiv 2501.12948v2 (B.4.2, B.4.3)."""
    config = load_sft(f"recipe={recipe}", "model=folder", "model.path=m", *CHAT)
    assert epochs[0] <= config.recipe.epochs <= epochs[1]
    assert config.recipe.batch_size == batch_size
    assert config.learner.learning_rate == rate
    assert config.learner.learning_rate * config.recipe.final_rate_share == pytest.approx(final)
    assert config.data.max_tokens == config.learner.row_tokens == 32768


def test_a_student_has_no_default_model() -> None:
    (problem,) = problems_of("recipe=distill_qwen_7b", *CHAT)
    assert problem.startswith("model.path is not set")


def test_files_may_set_what_only_other_kinds_of_runs_have() -> None:
    """cluster=local_gpu sets rollout.transfer too."""
    config = load_sft("recipe=sft", "cluster=local_gpu", *CHAT)
    assert config.cluster.device == "cuda"


@pytest.mark.parametrize(
    "override",
    [
        "learner.mini_batches=2",
        "learner.offload=true",
        "recipe.steps=3",
        "tracking.samples_per_step=1",
        "rollout.samplers=2",
        "algorithm.kl_coef=0.0",
        "reward.format=0.5",
        "algorithm=dapo",
        "rollout=vllm",
    ],
)
def test_what_has_no_meaning_in_fine_tuning_is_refused(override: str) -> None:
    (problem,) = problems_of("recipe=sft", *CHAT, override)
    key = override.split("=")[0]
    assert problem.startswith(f"{key} is no setting of recipe.kind=sft: leave it out")


def test_scale_overlay_shrinks_the_recipe_and_leaves_the_rest() -> None:
    paper, nano = load_rl("model=folder", "model.path=m"), load_rl("model=nano_v3")
    assert nano.rollout.prompts_per_step < paper.rollout.prompts_per_step
    assert nano.algorithm.loss == paper.algorithm.loss
    assert nano.algorithm.kl_coef == paper.algorithm.kl_coef == 0.001


def test_precedence_setting_over_group_over_scale() -> None:
    assert load_rl().learner.mini_batches != 1
    assert load_rl("algorithm=rloo").learner.mini_batches == 1
    assert load_rl("learner.mini_batches=2", "algorithm=rloo").learner.mini_batches == 2


def test_values_of_all_shapes() -> None:
    config = load_rl(
        "learner.betas=[0.9,0.95]", "rollout.max_tokens_schedule={8200: 65536}", "+seed=3"
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
        ("recipe.epochs=2", "recipe.epochs is no setting of recipe.kind=rl"),
        ("recipe.kind=ppo", "recipe.kind=ppo: must be 'rl', 'sft'"),
        ("data=chat", "data.kind=chat: must be 'nano', 'gsm8k', 'problems'."),
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
