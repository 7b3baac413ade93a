"""Expressions as trees of operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: Node("+", (Node("number", value=3), Node("symbol", name="x"))) is 3 + x."""

    kind: str
    parts: tuple[Node, ...] = ()
    name: str = ""
    value: Fraction = field(default=Fraction(0))


def symbols(node: Node) -> frozenset[str]:
    """The names of all free symbols."""
    own = frozenset((node.name,)) if node.kind == "symbol" else frozenset[str]()
    return own.union(*map(symbols, node.parts))


def contains(node: Node, kind: str, name: str = "") -> bool:
    """Whether an operation occurs anywhere."""
    here = node.kind == kind and (not name or node.name == name)
    return here or any(contains(part, kind, name) for part in node.parts)
