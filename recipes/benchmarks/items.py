"""One problem of a benchmark, and rows that say what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from configs.errors import UserError


@dataclass(frozen=True, slots=True)
class Item:
    """One problem, whatever its benchmark.

    Item(question="Compute 3+4.\\nPlease reason ...", answer="7", sources=("Compute 3+4.", "7"))
    """

    question: str
    """What the user says, whole."""
    answer: str
    """What scoring compares with: an answer, a letter, or JSON of tests or instructions."""
    sources: tuple[str, ...]
    """Question and reference solution as the benchmark has them, without our prompt around them:
    what training data must not contain."""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a data file; `where` names file and line in messages."""

    values: Mapping[str, Any]
    where: str

    def text(self, *names: str) -> str:
        """The first of these columns that the row has, which must be a text that is not empty."""
        name = self.column(*names)
        value = self.values[name]
        if not isinstance(value, str) or not value.strip():
            raise UserError(f"{self.where}: the column {name!r} is {value!r}; it must be a text")
        return value

    def texts(self, *names: str) -> list[str]:
        """The same for a list of texts."""
        name = self.column(*names)
        value = self.values[name]
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise UserError(f"{self.where}: the column {name!r} must be a list of texts")
        return value

    def optional(self, name: str) -> str:
        """A column's value as text; "" when it is missing or empty."""
        value = self.values.get(name)
        return "" if value is None else str(value)

    def column(self, *names: str) -> str:
        """The first of these names that is a column of the row."""
        for name in names:
            if name in self.values:
                return name
        wanted = " or ".join(repr(name) for name in names)
        has = ", ".join(self.values) or "nothing"
        raise UserError(f"{self.where}: no column {wanted}; the row has: {has}")
