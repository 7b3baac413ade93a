"""The waves become one data set: general rows, evaluation sets, people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from configs.data_making import SampledDataRecipe
from configs.errors import UserError
from recipes import trajectories as t
from recipes.data_assembly import (
    check_general,
    decontaminated,
    evaluation_texts,
    general_entries,
    read_reviewed,
    reviewed,
)
from recipes.decontamination import Removed
from recipes.row_files import Rejected

QUESTION = "Tom has three boxes with seven red and nine blue marbles in each of them; how many?"
SOLUTION = "Each box holds 7 + 9 = 16 marbles, so that three boxes hold 48 marbles in all."


def entry(name: str, question: str = "3+4?", answer: str = "<think>a</think>7") -> dict[str, Any]:
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    return {"kept": {"id": name, "domain": "math", "tokens": 3, "messages": messages}}


def benchmarks(folder: Path) -> SampledDataRecipe:
    row = {"question": QUESTION, "answer": f"{SOLUTION}\n#### 48"}
    (folder / "gsm8k.jsonl").write_text(json.dumps(row) + "\n")
    return SampledDataRecipe(decontaminate="gsm8k, nano", benchmarks_folder=str(folder))


def test_what_shares_ten_words_with_an_evaluation_set_goes(tmp_path: Path) -> None:
    evaluation = evaluation_texts(benchmarks(tmp_path))
    assert evaluation is not None
    entries = [
        entry("clean"),
        entry("question", f"Please help me. {QUESTION.upper()}"),
        entry("thinking", "x", f"<think>hm {SOLUTION} Yes.</think>48"),
        entry("nine words", "three boxes with seven red and nine blue marbles, I said"),
        {"dropped": {"name": "d", "reason": t.WRONG, "detail": "", "text": QUESTION}},
    ]
    removed: list[Removed] = []
    found = list(decontaminated(entries, evaluation, removed))
    assert [("kept" in each) for each in found] == [True, False, False, True, False]
    assert found[1]["dropped"]["reason"] == found[2]["dropped"]["reason"] == t.OVERLAP
    assert found[1]["dropped"]["detail"] == "gsm8k-0" and found[4] is entries[4]
    assert [(each.row, each.matches[0].text) for each in removed] == [
        ("question", 0),
        ("thinking", 1),
    ]


def test_no_benchmarks_and_missing_ones(tmp_path: Path) -> None:
    assert evaluation_texts(SampledDataRecipe()) is None
    missing = SampledDataRecipe(decontaminate="codeforces", benchmarks_folder=str(tmp_path))
    with pytest.raises(UserError, match=r"benchmark=codeforces: no file .*codeforces\.jsonl"):
        evaluation_texts(missing)


def test_general_rows(tmp_path: Path) -> None:
    good: list[dict[str, Any]] = [
        {"messages": [{"role": r, "content": c} for r, c in turns]}
        for turns in (
            [("user", "hi"), ("assistant", "hello there")],
            [("user", "a"), ("assistant", "b c"), ("user", "d"), ("assistant", "e")],
            [("user", "third"), ("assistant", "row")],
        )
    ]
    good[1]["domain"] = "writing"
    path = tmp_path / "general.jsonl"
    path.write_text("\n".join([json.dumps(good[0]), "{", *map(json.dumps, good[1:])]))
    rejected: list[Rejected] = []

    def rows(count: int) -> list[dict[str, Any]]:
        recipe = SampledDataRecipe(general=str(path), general_rows=count)
        entries = general_entries(recipe, lambda text: len(text.split()), rejected)
        return [entry["kept"] for entry in entries]

    found = rows(2)
    assert [(row["id"], row["domain"], row["tokens"]) for row in found] == [
        ("general-row-1", "general", 2),
        ("general-row-3", "writing", 3),
    ]
    assert [row["messages"] for row in found] == [each["messages"] for each in good[:2]]
    assert [(each.row, each.reason) for each in rejected] == [(2, "not JSON")]
    assert len(rows(0)) == 3
    assert list(general_entries(SampledDataRecipe(), len, rejected)) == []


def review(entries: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> list[Any]:
    def wrong(row: dict[str, Any]) -> str | None:
        return None if "7" in row["messages"][-1]["content"] else "wrong"

    return list(reviewed(entries, {row["id"]: row for row in theirs}, wrong))


def test_people_edit_rows_and_take_them_out() -> None:
    entries = [entry("same"), entry("edited"), entry("spoilt"), entry("out")]
    edited = entry("edited", answer="<think>b</think>It is 7")["kept"]
    spoilt = entry("spoilt", answer="<think>b</think>It is 8")["kept"]
    found = review(entries, [entries[0]["kept"], edited, spoilt])
    assert found[:2] == [entries[0], {"kept": edited}]
    assert [each["dropped"]["reason"] for each in found[2:]] == [t.REVIEWED, t.REVIEW]
    assert found[2]["dropped"]["text"] == "<think>b</think>It is 8"
    with pytest.raises(UserError, match=r"the id 'new' was not in review\.jsonl"):
        review(entries, [entry("new")["kept"]])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: Expecting property name"),
        ('{"id": "b", "messages": []}', "line 2: messages is not a list"),
        (json.dumps(entry("a")["kept"]), "line 2: the id 'a' occurs twice"),
    ],
)
def test_a_mistake_in_the_review_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "review.jsonl"
    path.write_text(f"{json.dumps(entry('a')['kept'])}\n{line}\n")
    with pytest.raises(UserError, match=said):
        read_reviewed(path)


def test_general_conversations_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"^recipe\.general=.*: cannot be read as Parquet"):
        check_general(SampledDataRecipe(general=str(path)))
    for general in ("", "nano"):
        check_general(SampledDataRecipe(general=general))
