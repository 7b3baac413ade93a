import json
from pathlib import Path
from statistics import fmean

import pytest

from configs.compose import load_config
from configs.errors import UserError
from recipes.nano_general import GeneralPrompt, general_prompts, true_preference
from recipes.nano_preferences import nano_judge
from recipes.nano_tokenizer import build_tokenizer
from recipes.preference_pairs import (
    Candidates,
    JudgeRules,
    Preference,
    balanced_lengths,
    judged,
)
from recipes.reward_data import load_judged

TOKENIZER = build_tokenizer()
CANDIDATES = Candidates("c", "q", ("a", "b"))


class Listed:
    """Gives the listed verdicts in turn."""

    def __init__(self, *verdicts: float | None) -> None:
        self.verdicts = verdicts
        self.shown: list[tuple[str, str]] = []

    def verdict(self, question: str, first: str, second: str, query: int) -> float | None:
        self.shown.append((first, second))
        return self.verdicts[query]


def test_order_is_swapped_and_verdicts_averaged():
    judge = Listed(2, -2, 1, -1)
    pair = judged(CANDIDATES, judge, JudgeRules(4, 1.0))
    assert judge.shown == [("a", "b"), ("b", "a")] * 2
    assert pair == Preference("c", "q", ("a", "b"))
    assert judged(CANDIDATES, Listed(-2, 2, -2, 1), JudgeRules(4, 1.0)) == Preference(
        "c", "q", ("b", "a")
    )


def test_a_judge_that_likes_places_decides_nothing():
    """Always for the first that it is shown: without swapping that would be a clear verdict."""
    for candidates in (CANDIDATES, Candidates("c", "q", ("the same", "the same"))):
        found = judged(candidates, Listed(2, 2, 2, 2), JudgeRules(4, 1.0))
        assert found == "the judge sees too little difference"


def test_the_margin_itself_is_too_little():
    rules = JudgeRules(4, 1.0)
    assert judged(CANDIDATES, Listed(1, -1, 1, -1), rules) == "the judge sees too little difference"
    assert isinstance(judged(CANDIDATES, Listed(2, -1, 1, -1), rules), Preference)


def test_nonsense_leaves_the_pair_out():
    found = judged(CANDIDATES, Listed(2, None, 2, -2), JudgeRules(4, 1.0))
    assert found == "the judge's answer has no verdict"


def test_lengths_are_balanced_by_leaving_out_as_little_as_possible():
    def pair(name: str, chosen: int, rejected: int) -> Preference:
        return Preference(name, "q", ("x" * chosen, "y" * rejected))

    pairs = [pair("a", 9, 1), pair("b", 3, 2), pair("c", 1, 4), pair("d", 5, 3)]
    assert [p.name for p in balanced_lengths(pairs)] == ["b", "c", "d"]
    assert balanced_lengths(pairs[1:]) == pairs[1:]
    assert balanced_lengths([]) == []


def test_nano_judge_mostly_sees_the_truth():
    config = load_config(["recipe=r1/reward_helpful", "data=nano_preferences"])
    judge = nano_judge(config.data)
    prompts = [p for p in general_prompts("heldout") if p.kind == "poem" and p.language == "en"]
    good, bad = "{0} is in the sun, it is good, thanks.", " no."
    kept = [
        judged(Candidates("x", p.text, (bad, good.format(p.thing))), judge, JudgeRules(4, 1.0))
        for p in prompts
    ]
    assert all(isinstance(pair, Preference) and pair.responses[1] == bad for pair in kept)


def rows_file(folder: Path, *rows: object) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def load(recipe: str, path: str, *words: str):
    config = load_config(
        [
            f"recipe=r1/{recipe}",
            "model=folder",
            "model.path=m",
            f"data.path={path}",
            "recipe.batch_size=1",
            "data.heldout_rows=0",
            *words,
        ]
    )
    return load_judged(config, TOKENIZER, [1])


def texts(sets) -> list[tuple[str, ...]]:
    return [tuple(TOKENIZER.decode(s) for s in unit.segments) for unit in sets.train]


def test_helpfulness_is_learnt_from_summaries_and_safety_from_everything(tmp_path: Path):
    """Mistake 8 of common implementations: the thinking must not reach the one, and has to reach
    the other."""
    thought = "<think> bad</think> hello"
    path = rows_file(tmp_path, {"prompt": " help", "chosen": thought, "rejected": " no"})
    head = "<｜begin▁of▁sentence｜><｜User｜> help<｜Assistant｜>"
    end = "<｜end▁of▁sentence｜>"
    assert texts(load("reward_helpful", path, "judge.balance_lengths=false")) == [
        (f"{head}hello{end}", f"{head} no{end}")
    ]
    path = rows_file(tmp_path, {"prompt": " help", "response": thought, "safe": False})
    sets = load("reward_safety", path)
    assert texts(sets) == [(f"{head}{thought}{end}",)]
    assert sets.train[0].label == 0.0


def test_bad_rows_are_counted(tmp_path: Path):
    good = {"prompt": " a", "chosen": " yes", "rejected": " no"}
    path = rows_file(
        tmp_path,
        good,
        {"prompt": " a", "chosen": " yes"},
        {"prompt": " a", "chosen": "<think> a</think>", "rejected": " no"},
        {"prompt": " a", "chosen": " yes" * 9000, "rejected": " no"},
        [],
        {"prompt": " a", "chosen": " yes", "rejected": "<think> a</think> yes"},
        {"prompt": " a", "responses": [" yes", " yes"]},
        {"prompt": " a", "chosen": " yes", "rejected": "\ud800"},
        {**good, "id": "row-1"},
        {**good, "id": None},
    )
    sets = load("reward_helpful", path, "judge.balance_lengths=false")
    assert len(sets.train) == 2
    assert sets.counts() == {
        "both responses are the same": 2,
        "not valid Unicode": 1,
        "id occurs twice": 1,
        "not a text": 1,
        "nothing after the thinking": 1,
        "longer than data.max_tokens": 1,
        "not an object": 1,
    }
    with pytest.raises(UserError, match=r"recipe\.batch_size=9: there are only 2"):
        load("reward_helpful", path, "judge.balance_lengths=false", "recipe.batch_size=9")


def test_what_is_left_out_is_listed_with_its_line(tmp_path: Path):
    short = {"prompt": " a", "chosen": " yes", "rejected": " nay"}
    path = rows_file(
        tmp_path,
        {"prompt": " a"},
        {**short, "chosen": " yes" * 30, "id": "one-sided"},
        short,
        {**short, "chosen": " yes" * 90, "rejected": " nay" * 90},
        {"prompt": " a", "responses": [" yes", " no"]},
    )
    sets = load("reward_helpful", path, "data.max_tokens=80")
    assert [(row.row, row.reason, row.detail) for row in sets.rejected] == [
        (1, "not a text", "chosen is NoneType"),
        (5, "two responses and no judge (judge.by)", "row-5"),
        (2, "left out to balance lengths", "one-sided"),
        (4, "longer than data.max_tokens", "row-4"),
    ]


def test_nano_pairs_prefer_what_is_better_and_are_about_equally_long():
    config = load_config(
        [
            "recipe=r1/reward_helpful",
            "data=nano_preferences",
            "data.train_pairs=600",
            "data.heldout_pairs=100",
            "recipe.batch_size=1",
        ]
    )
    sets = load_judged(config, TOKENIZER, [1])
    by_text = {prompt.text: prompt for prompt in general_prompts("train")}

    def worth(text: str) -> float:
        question, _, summary = text.partition("<｜User｜>")[2].partition("<｜Assistant｜>")
        prompt: GeneralPrompt = by_text[question]
        return true_preference(prompt, summary.removesuffix("<｜end▁of▁sentence｜>"))

    pairs = texts(sets)
    assert fmean(worth(chosen) > worth(rejected) for chosen, rejected in pairs) > 0.97
    lengths = [[len(text) for text in pair] for pair in pairs]
    assert abs(fmean(c - r for c, r in lengths)) < 0.5
