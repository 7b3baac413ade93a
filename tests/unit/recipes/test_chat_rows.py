"""Rows as people have them: good ones come through, bad ones with their reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from configs.data_sets import ChatData
from configs.errors import UserError
from recipes.chat_rows import Conversation, Turn, conversations
from recipes.row_files import Rejected


def user(content: object = "3+4?") -> dict[str, object]:
    return {"role": "user", "content": content}


def assistant(content: object = "7") -> dict[str, object]:
    return {"role": "assistant", "content": content}


GOOD = {"messages": [user(), assistant()]}


def write(folder: Path, rows: Sequence[object]) -> str:
    path = folder / "rows.jsonl"
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def read(path: str) -> list[Conversation | Rejected]:
    return list(conversations(ChatData(path=path)))


def test_good_rows(tmp_path: Path) -> None:
    rows = [
        GOOD,
        {"id": "b", "messages": [{"role": "system", "content": "Be brief."}, user(), assistant()]},
        {"messages": [user(), assistant("<think>4+3</think>7"), user("again"), assistant()]},
        {"id": 4, "prompt": "User: 3+4? Assistant:", "completion": " 7", "source": "x"},
    ]
    one, two, three, four = read(write(tmp_path, rows))
    assert one == Conversation("row-1", (Turn("user", "3+4?"), Turn("assistant", "7")), False, 1)
    assert isinstance(two, Conversation) and isinstance(three, Conversation)
    assert (two.name, two.turns[0], two.question) == ("b", Turn("system", "Be brief."), "3+4?")
    assert [turn.role for turn in three.turns] == ["user", "assistant"] * 2
    prompt = Turn("user", "User: 3+4? Assistant:")
    assert four == Conversation("4", (prompt, Turn("assistant", " 7")), True, 4)


BAD = [
    (b"{not json", "not JSON"),
    (b'{"prompt": "\xff", "completion": "7"}', "not UTF-8"),
    ([1], "not an object"),
    ({"question": "3+4?", "answer": "7"}, "neither messages nor prompt and completion"),
    ({"prompt": "3+4?"}, "neither messages nor prompt and completion"),
    ({"messages": "3+4?"}, "messages is not a list"),
    ({"messages": []}, "messages is not a list"),
    ({"messages": [{"content": "x"}, assistant()]}, "a message has no role or content"),
    ({"messages": [user(), {"role": "tool", "content": "x"}]}, "unknown role"),
    ({"messages": [user()]}, "user and assistant do not take turns"),
    ({"messages": [assistant()]}, "user and assistant do not take turns"),
    ({"messages": [user(), user(), assistant()]}, "user and assistant do not take turns"),
    ({"messages": [user(), assistant(), user()]}, "user and assistant do not take turns"),
    ({"messages": [{"role": "system", "content": "x"}]}, "user and assistant do not take turns"),
    ({"messages": [user(), assistant(" \n")]}, "empty text"),
    ({"messages": [user(""), assistant()]}, "empty text"),
    ({"messages": [user(), assistant(None)]}, "not a text"),
    ({"messages": [user([{"type": "text"}]), assistant()]}, "not a text"),
    ({"messages": [user(), assistant("<think>3+4</think>\n")]}, "nothing after the thinking"),
    ({"prompt": "3+4?", "completion": "<think>3+4</think>"}, "nothing after the thinking"),
    ({"prompt": "", "completion": "7"}, "empty text"),
    (b'{"prompt": "\\ud800", "completion": "7"}', "not valid Unicode"),
]


@pytest.mark.parametrize(("row", "reason"), BAD, ids=range(len(BAD)))
def test_a_bad_row_has_a_reason_and_the_others_stay(
    tmp_path: Path, row: object, reason: str
) -> None:
    first, bad, last = read(write(tmp_path, [GOOD, row, GOOD]))
    assert isinstance(bad, Rejected)
    assert (bad.row, bad.reason) == (2, reason)
    assert isinstance(first, Conversation) and isinstance(last, Conversation)
    assert last.row == 3


def test_an_id_belongs_to_one_row(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": "a"}, {**GOOD, "id": "b"}, {**GOOD, "id": "a"}, GOOD, GOOD]
    read_rows = read(write(tmp_path, rows))
    assert read_rows[2] == Rejected(3, "id occurs twice", "a")
    assert sum(isinstance(row, Conversation) for row in read_rows) == 4


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    bad = read(write(tmp_path, [GOOD, b"", b"", b"{"]))[1]
    assert isinstance(bad, Rejected) and bad.row == 4


def test_parquet_is_read_like_json_lines(tmp_path: Path) -> None:
    rows = [{"messages": [user(), assistant(str(i))]} for i in range(3)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    turns = [row.turns for row in read(str(tmp_path / "rows.parquet")) if not is_bad(row)]
    assert turns == [row.turns for row in read(write(tmp_path, rows)) if not is_bad(row)]
    assert [each[1].content for each in turns] == ["0", "1", "2"]


def is_bad(row: Conversation | Rejected) -> bool:
    return isinstance(row, Rejected)


def test_text_that_is_not_utf8_spoils_only_its_row_of_a_parquet_file(tmp_path: Path) -> None:
    spoilt = pyarrow.array([b"ask", b"\xff\xfe", b"ask"]).view(pyarrow.string())
    table = pyarrow.table({"prompt": spoilt, "completion": ["1", "2", "3"]})
    parquet.write_table(table, tmp_path / "rows.parquet")
    first, bad, last = read(str(tmp_path / "rows.parquet"))
    assert isinstance(bad, Rejected) and (bad.row, bad.reason) == (2, "not UTF-8")
    assert isinstance(first, Conversation) and isinstance(last, Conversation)


def test_a_torn_parquet_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="cannot be read as Parquet") as caught:
        read(str(tmp_path / "rows.parquet"))
    assert "\n" not in str(caught.value)


def test_a_folder_goes_through_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a name on the hub does, which no test may ask for."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "set"
    folder.mkdir()
    write(folder, [{"prompt": f"p{i}", "completion": "c"} for i in range(3)])
    rows = read(str(folder))
    assert [row.turns[0].content for row in rows if isinstance(row, Conversation)] == [
        "p0",
        "p1",
        "p2",
    ]
    with pytest.raises(UserError, match=r"not to be had as a data set") as caught:
        list(conversations(ChatData(path=str(folder), split="nowhere")))
    assert "\n" not in str(caught.value)
