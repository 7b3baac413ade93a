"""Rows of conversations from files and the hub, checked one by one: every row comes out either as a
Conversation or as a Rejected with its reason.

    {"messages": [{"role": "user", "content": "3+4?"}, {"role": "assistant", "content": "7"}]}
    {"prompt": "User: 3+4=? Assistant:", "completion": " 7"}

A row may carry an "id", which must be its own. Other columns are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import UserError
from configs.schema import ChatData

END_OF_THINKING = "</think>"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side says."""

    role: str
    """system, user or assistant."""
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """One good row."""

    name: str
    """Its id, or "row-17"."""
    turns: tuple[Turn, ...]
    """The last one is the assistant's."""
    plain: bool
    """Prompt and completion as plain text, not to be put into a chat template."""
    row: int
    """Number of the row or line, from 1."""

    @property
    def question(self) -> str:
        """The user's first turn: what decides whether the row is held out."""
        return next(turn.content for turn in self.turns if turn.role == "user")


@dataclass(frozen=True, slots=True)
class Rejected:
    """One bad row."""

    row: int
    """Number of the row or line, from 1."""
    reason: str
    """One of a few, to be counted."""
    detail: str = ""


class BadRow(Exception):
    """Raised while a row is read, with a reason and details; the row is then left out."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def conversations(data: ChatData) -> Iterator[Conversation | Rejected]:
    """Every row, in order.

    Raises UserError when nothing can be read at all.
    """
    known: set[str] = set()
    for number, read in _rows(data):
        try:
            row = read()
            conversation = parse(row, number)
            if row.get("id") is not None:
                if conversation.name in known:
                    raise BadRow("id occurs twice", conversation.name)
                known.add(conversation.name)
            yield conversation
        except BadRow as bad:
            yield Rejected(number, bad.reason, bad.detail)


def parse(row: Any, number: int) -> Conversation:
    """The conversation in one row. Raises BadRow."""
    if not isinstance(row, Mapping):
        raise BadRow("not an object", type(row).__name__)
    name = str(row["id"]) if row.get("id") is not None else f"row-{number}"
    if row.get("messages") is not None:
        return Conversation(name, _turns(row["messages"]), plain=False, row=number)
    if row.get("prompt") is None or row.get("completion") is None:
        found = ", ".join(map(str, row)) or "no columns"
        raise BadRow("neither messages nor prompt and completion", found)
    prompt, completion = _text(row["prompt"], "prompt"), _text(row["completion"], "completion")
    _check_answer(completion, "completion")
    turns = Turn("user", prompt), Turn("assistant", completion)
    return Conversation(name, turns, plain=True, row=number)


def _turns(messages: Any) -> tuple[Turn, ...]:
    if not isinstance(messages, list | tuple) or not messages:
        raise BadRow("messages is not a list", type(messages).__name__)
    turns = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if not isinstance(message, Mapping) or "role" not in message or "content" not in message:
            raise BadRow("a message has no role or content", where)
        turns.append(Turn(str(message["role"]), _text(message["content"], where)))
        if turns[-1].role == "assistant":
            _check_answer(turns[-1].content, where)
    _check_order([turn.role for turn in turns])
    return tuple(turns)


def _check_order(roles: list[str]) -> None:
    unknown = set(roles) - {"system", "user", "assistant"}
    if unknown:
        raise BadRow("unknown role", ", ".join(sorted(unknown)))
    spoken = roles[1:] if roles[0] == "system" else roles
    if not spoken or len(spoken) % 2 or spoken != ["user", "assistant"] * (len(spoken) // 2):
        raise BadRow("user and assistant do not take turns", ", ".join(roles))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadRow("not a text", f"{where} is {type(value).__name__}")
    if not value.strip():
        raise BadRow("empty text", where)
    try:
        value.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON can spell
        raise BadRow("not valid Unicode", where) from error
    return value


def _check_answer(content: str, where: str) -> None:
    if not content.rpartition(END_OF_THINKING)[2].strip():
        raise BadRow("nothing after the thinking", where)


def _rows(data: ChatData) -> Iterator[tuple[int, Any]]:
    """(number, function that reads the row or raises BadRow)."""
    path = Path(data.path).expanduser()
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
    elif path.is_file():
        yield from json_lines(path)
    else:
        yield from _hub_rows(data)


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """(number, function that reads the line or raises BadRow) of every line that is not empty."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, lambda line=line: _json_line(line)


def _json_line(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRow("not UTF-8", f"byte {error.start} of the line") from error
    except json.JSONDecodeError as error:
        raise BadRow("not JSON", f"{error.msg} at column {error.colno}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        batches = parquet.ParquetFile(path).iter_batches()
        number = 0
        for batch in batches:
            for index in range(batch.num_rows):
                number += 1
                yield number, lambda batch=batch, index=index: _parquet_row(batch, index)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(
            f"data.path={path}: cannot be read as Parquet ({error}); give a whole .parquet file"
        ) from error


def _parquet_row(batch: Any, index: int) -> Any:
    try:
        return batch.slice(index, 1).to_pylist()[0]
    except UnicodeDecodeError as error:
        raise BadRow("not UTF-8", f"byte {error.start} of a text") from error


def _hub_rows(data: ChatData) -> Iterator[tuple[int, Any]]:
    import datasets
    from datasets.exceptions import DatasetNotFoundError

    try:
        rows = datasets.load_dataset(data.path, data.subset or None, split=data.split)
    except (DatasetNotFoundError, OSError, ValueError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"data.path={data.path}: no such file, and not to be had as a data set ({first_line}); "
            "name a .jsonl or .parquet file, or check data.subset and data.split"
        ) from error
    for number, row in enumerate(rows, start=1):
        yield number, lambda row=row: row
