"""What a language model has replied, kept in a file as it comes, so that a run which goes on asks
only what is missing, and goes on with the same replies."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Unusable:
    """No answer to go on with: Unusable("cut at the length cap")."""

    why: str


class KeptReplies:
    """A line for each: {"model": "m", "asked": a hash, "reply": "7"}, or "unusable" and why."""

    def __init__(self, path: Path, model: str) -> None:
        """model: another one's replies do not count."""
        self._path = path
        self._model = model
        self._lock = threading.Lock()
        self._places = _places(path, model)

    def __len__(self) -> int:
        return len(self._places)

    def find(self, question: str, number: int) -> str | Unusable | None:
        """What was replied; None: it was not asked yet. number: how often the same question was
        asked for another reply before this."""
        place = self._places.get(_key(question, number))
        if place is None:
            return None
        with self._path.open("rb") as file:
            file.seek(place)
            kept = json.loads(file.readline())
        return kept["reply"] if "reply" in kept else Unusable(kept["unusable"])

    def keep(self, question: str, number: int, reply: str | Unusable) -> None:
        key = _key(question, number)
        said = {"unusable": reply.why} if isinstance(reply, Unusable) else {"reply": reply}
        line = json.dumps({"model": self._model, "asked": key, **said}) + "\n"
        with self._lock, self._path.open("ab+") as file:
            _end_torn_line(file)
            place = file.tell()
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
            self._places[key] = place


def _key(question: str, number: int) -> str:
    return hashlib.sha256(json.dumps([question, number]).encode()).hexdigest()


def _places(path: Path, model: str) -> dict[str, int]:
    """Where the line of each reply begins. A line that a crash has cut short is asked again."""
    found: dict[str, int] = {}
    if not path.exists():
        return found
    end = 0
    with path.open("rb") as file:
        for line in file:
            begin, end = end, end + len(line)
            try:
                kept = json.loads(line)
            except ValueError:
                continue
            if kept["model"] == model:
                found[kept["asked"]] = begin
    return found


def _end_torn_line(file: BinaryIO) -> None:
    """What is written next must not become the rest of a line that a crash has cut short."""
    if file.tell():
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
