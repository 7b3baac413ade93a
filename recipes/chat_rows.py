"""Rows of conversations from files and the hub, checked one by one: every row comes out either as a
Conversation or as a Rejected with its reason.

    {"messages": [{"role": "user", "content": "3+4?"}, {"role": "assistant", "content": "7"}]}
    {"prompt": "User: 3+4=? Assistant:", "completion": " 7"}

A row may carry an "id", which must be its own, and a "domain". Other columns are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from configs.data_sets import ChatData
from recipes.row_files import BadRow, Rejected, as_text, open_rows

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
    domain: str = ""
    """What it is about, where the row says so."""

    @property
    def question(self) -> str:
        """The user's first turn: what decides whether the row is held out."""
        return next(turn.content for turn in self.turns if turn.role == "user")


def conversations(data: ChatData, setting: str = "data.path") -> Iterator[Conversation | Rejected]:
    """Every row, in order. setting: what names the data.

    Raises UserError when nothing can be read at all.
    """
    known: set[str] = set()
    for number, read in open_rows(data.path, data.subset, data.split, setting=setting):
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
    domain = row["domain"] if isinstance(row.get("domain"), str) else ""
    if row.get("messages") is not None:
        return Conversation(name, _turns(row["messages"]), plain=False, row=number, domain=domain)
    if row.get("prompt") is None or row.get("completion") is None:
        found = ", ".join(map(str, row)) or "no columns"
        raise BadRow("neither messages nor prompt and completion", found)
    prompt, completion = as_text(row["prompt"], "prompt"), as_text(row["completion"], "completion")
    _check_answer(completion, "completion")
    turns = Turn("user", prompt), Turn("assistant", completion)
    return Conversation(name, turns, plain=True, row=number, domain=domain)


def _turns(messages: Any) -> tuple[Turn, ...]:
    if not isinstance(messages, list | tuple) or not messages:
        raise BadRow("messages is not a list", type(messages).__name__)
    turns = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if not isinstance(message, Mapping) or "role" not in message or "content" not in message:
            raise BadRow("a message has no role or content", where)
        turns.append(Turn(str(message["role"]), as_text(message["content"], where)))
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


def _check_answer(content: str, where: str) -> None:
    if not content.rpartition(END_OF_THINKING)[2].strip():
        raise BadRow("nothing after the thinking", where)
