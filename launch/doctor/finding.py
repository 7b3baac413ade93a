"""What one look at the machine found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer."""

    name: str
    level: Level
    """problem: the run cannot work; warning: it may not, or not well."""
    text: str
    remedy: str = ""
    """What to do; for everything that is not ok."""


def ok(name: str, text: str) -> Finding:
    return Finding(name, "ok", text)


def warning(name: str, text: str, remedy: str) -> Finding:
    return Finding(name, "warning", text, remedy)


def problem(name: str, text: str, remedy: str) -> Finding:
    return Finding(name, "problem", text, remedy)
