import json
from pathlib import Path

import pytest

from configs.compose import load_config
from configs.errors import UserError
from configs.schema import RlConfig
from recipes.general_prompts import load_general, mixed_prompts_for_step
from recipes.nano_tokenizer import build_tokenizer
from rewards.preference import QUESTION, SET
from rl.records import Prompt

TOKENIZER = build_tokenizer()
PROBLEMS = [Prompt(f"p{n}", "?", (1,), "7", {"language": "en"}) for n in range(600)]


def config(*words: str) -> RlConfig:
    models = ["reward.helpful_model=h", "reward.safety_model=s", "data.general=nano"]
    found = load_config(["recipe=r1/rl_all", "model.path=m", *models, *words])
    assert isinstance(found, RlConfig)
    return found


def test_nano_prompts_carry_what_their_reward_needs():
    prompts = load_general(config(), TOKENIZER)
    assert {prompt.metadata[SET] for prompt in prompts} == {"helpfulness", "safety"}
    for prompt in prompts:
        head = "<｜begin▁of▁sentence｜><｜User｜>"
        assert prompt.text == f"{head}{prompt.metadata[QUESTION]}<｜Assistant｜>"
        assert len(prompt.token_ids) <= 32 and TOKENIZER.unk_token_id not in prompt.token_ids


def test_preference_rewards_join_only_at_the_end_and_the_temperature_is_lower():
    """Mistake 9 of common implementations: preference rewards throughout, temperature left at 1."""
    settings = config()
    assert settings.rollout.temperature == 0.7
    updates = settings.learner.mini_batches
    steps, begin = settings.recipe.steps, settings.recipe.general_from_step
    assert abs(steps * updates - 1700) < updates and (steps - begin) * updates == 400
    general = load_general(config(), TOKENIZER)
    kinds = [
        [SET in p.metadata for p in mixed_prompts_for_step(PROBLEMS, general, settings, step)]
        for step in (0, begin - 1, begin, steps - 1)
    ]
    assert [len(each) for each in kinds] == [512] * 4
    assert [sum(each) for each in kinds] == [0, 0, 241, 241]  # 0.47 x 512


def test_the_same_step_has_the_same_prompts():
    settings = config("recipe.general_from_step=0")
    general = load_general(config(), TOKENIZER)
    first, again, other = (
        mixed_prompts_for_step(PROBLEMS, general, settings, step) for step in (3, 3, 4)
    )
    assert first == again != other
    assert len({prompt.id for prompt in first}) == 512


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "", "set": "safety", "language": "en"}, "1: prompt is missing, empty"),
        ({"prompt": "a", "set": "fun", "language": "en"}, "set=fun: must be helpfulness or safety"),
        ({"prompt": "a", "set": "safety", "language": "xx"}, "language=xx: must be one of zh"),
        ([], "not an object"),
        (
            {"prompt": " cat" * 40, "set": "safety", "language": "en"},
            "general-1 has 43 tokens, and at most 32",
        ),
    ],
)
def test_bad_rows_of_a_file(tmp_path: Path, row: object, message: str):
    path = tmp_path / "general.jsonl"
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match=message):
        load_general(config(f"data.general={path}"), TOKENIZER)


def test_a_step_must_find_enough_prompts_before_training_begins(tmp_path: Path):
    path = tmp_path / "general.jsonl"
    row = json.dumps({"prompt": " cat", "set": "safety", "language": "en"})
    path.write_text(f"{row}\n" * 14)
    words = (f"data.general={path}", "rollout.prompts_per_step=32")
    with pytest.raises(
        UserError, match=r"has 14 prompts, and a step takes 15 \(recipe\.general_sh"
    ):
        load_general(config(*words), TOKENIZER)
    assert len(load_general(config(*words, "recipe.general_share=0.44"), TOKENIZER)) == 14
