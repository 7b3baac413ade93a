"""Sequences of a run: split, rejects, sizes, and what is too little."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from configs.data_sets import ChatData, NanoSolutions
from configs.errors import UserError
from configs.schema import SftLearner, SftRecipe
from recipes.nano_tokenizer import build_tokenizer
from recipes.sft_data import SequenceSets, check_enough, load_sequences
from tests.unit.rl.test_sft import make_config

TOKENIZER = build_tokenizer()
END_IDS = (1,)


def row(i: int, answer: str = "7") -> dict[str, object]:
    return {"id": f"r{i}", "prompt": f"User:{i} Assistant:", "completion": answer}


def load(folder: Path, rows: list[dict[str, object]], **settings: int) -> SequenceSets:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return load_sequences(ChatData(path=str(path), **settings), TOKENIZER, END_IDS)


def names(sets: SequenceSets) -> tuple[set[str], set[str]]:
    return {each.prompt_id for each in sets.train}, {each.prompt_id for each in sets.heldout}


def test_sequences_are_samples(tmp_path: Path) -> None:
    sets = load(tmp_path, [row(3)], heldout_rows=0)
    (sample,) = sets.train
    assert sample.prompt_id == "r3"
    assert sample.token_ids.dtype == torch.int64
    assert TOKENIZER.decode(sample.token_ids[sample.loss_mask]) == "7" + TOKENIZER.eos_token
    assert sets.train.longest() == len(sample.token_ids) == sample.behaviour_log_probs.shape[0]


def test_heldout_depends_on_the_questions_only(tmp_path: Path) -> None:
    rows = [row(i) for i in range(40)]
    train, heldout = names(load(tmp_path, rows, heldout_rows=9))
    assert (len(train), len(heldout)) == (31, 9) and not train & heldout
    assert names(load(tmp_path, rows[::-1], heldout_rows=9)) == (train, heldout)
    assert names(load(tmp_path, rows, heldout_rows=0)) == (train | heldout, set())


def test_all_answers_to_a_question_are_on_one_side(tmp_path: Path) -> None:
    rows = [{**row(i % 10, str(i)), "id": i} for i in range(30)]
    sets = load(tmp_path, rows, heldout_rows=4)
    questions = [
        {TOKENIZER.decode(each.token_ids[~each.loss_mask]) for each in half}
        for half in (sets.train, sets.heldout)
    ]
    assert not questions[0] & questions[1]
    assert len(sets.heldout) == 6  # whole questions of three rows, at least four rows


def test_bad_rows_are_counted_and_listed(tmp_path: Path) -> None:
    rows = [row(1), {"id": "r2"}, row(3, "7" * 20), row(4, "été"), row(1), row(6, " ")]
    sets = load(tmp_path, rows, heldout_rows=0, max_tokens=20)
    assert sets.counts() == {
        "neither messages nor prompt and completion": 1,
        "longer than data.max_tokens": 1,
        "a character that the tokenizer does not know": 1,
        "id occurs twice": 1,
        "empty text": 1,
    }
    listed = [json.loads(line) for line in sets.rejected_json().splitlines()]
    assert [each["row"] for each in listed] == [2, 3, 4, 5, 6]
    assert listed[1]["detail"] == "24 tokens, at most 20"
    assert len(sets.train) + len(listed) == len(rows)


def test_a_row_as_long_as_allowed_stays(tmp_path: Path) -> None:
    length = load(tmp_path, [row(1)], heldout_rows=0).train.longest()
    assert len(load(tmp_path, [row(1)], heldout_rows=0, max_tokens=length).train) == 1
    assert len(load(tmp_path, [row(1)], heldout_rows=0, max_tokens=length - 1).train) == 0


def test_the_summary_tells_other_data_apart(tmp_path: Path) -> None:
    first = load(tmp_path, [row(1), row(2)], heldout_rows=0).summary()
    assert first == load(tmp_path, [row(1), row(2)], heldout_rows=0).summary()
    assert first["train_sequences"] == 2
    for other in ([row(2), row(1)], [row(1), row(2, "8")], [row(1)]):
        assert load(tmp_path, other, heldout_rows=0).summary() != first


def test_nano_solutions_are_right_and_apart() -> None:
    data = NanoSolutions(train_problems=60, heldout_rows=20)
    sets = load_sequences(data, TOKENIZER, END_IDS)
    assert (len(sets.train), len(sets.heldout), sets.counts()) == (60, 20, {})
    prompts = [TOKENIZER.decode(each.token_ids[~each.loss_mask]) for each in sets.train]
    assert all(text.startswith("User:") and text.endswith(" Assistant:") for text in prompts)
    answers = [TOKENIZER.decode(each.token_ids[each.loss_mask]) for each in sets.train]
    assert all(
        text.startswith("<think>") and text.endswith(TOKENIZER.eos_token) for text in answers
    )


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([], {}, r"data.path=x: no row that can be used \(it is empty\)"),
        ([{"a": 1}] * 2, {}, r"no row that can be used \(2 neither messages nor prompt"),
        ([row(i) for i in range(9)], {}, r"recipe.batch_size=10: data.path=x has only 9 sequences"),
        (
            [row(i) for i in range(20)],
            {"learner": SftLearner(warmup_updates=4)},
            r"learner.warmup_updates=4: must be below the run's 4 updates",
        ),
    ],
)
def test_too_little_is_one_line(
    tmp_path: Path, rows: list[dict[str, object]], changes: dict[str, object], message: str
) -> None:
    sets = load(tmp_path, rows, heldout_rows=0)
    config = make_config().model_copy(
        update={"recipe": SftRecipe(batch_size=10), "data": ChatData(path="x"), **changes}
    )
    with pytest.raises(UserError, match=message) as caught:
        check_enough(sets, config)
    assert "\n" not in str(caught.value)


def test_enough_is_enough(tmp_path: Path) -> None:
    sets = load(tmp_path, [row(i) for i in range(10)], heldout_rows=0)
    check_enough(sets, make_config().model_copy(update={"recipe": SftRecipe(batch_size=10)}))
