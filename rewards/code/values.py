"""Comparing what a function returned with what it should return, outside the sandbox.

Values from the sandbox are never hashed or compared as Python sets and dicts: a forged set of
integers with equal hashes would take quadratic time here. Their items are told apart by texts.
"""

from __future__ import annotations

import cmath
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from rewards.code.codec import Builders, decode, encode, kind_of, parse, quoted

HUGE = 2**1000
"""Integers beyond are not turned into floats, and complex numbers with a part beyond have no
absolute value: both would overflow."""


@dataclass(frozen=True, slots=True)
class SetValue:
    """A set or frozenset, as the texts of its items (see `key_text`)."""

    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class DictValue:
    """A dict, by the texts of its keys."""

    entries: dict[str, Any]


def key_text(value: Any) -> str:
    """One text for values that may stand for each other as keys: 1 and 1.0, but not 1 and True.

    nan has a text as well; expected values never hold one, so it matches nothing.
    """
    kind = kind_of(value)
    if kind is str:
        return quoted(value)
    if kind is float and value.is_integer():
        return hex(int(value))
    if kind is int:
        return hex(value)
    if kind is tuple:
        return f"({','.join(map(key_text, value))})"
    if kind is SetValue:
        return f"{{{','.join(sorted(value.keys))}}}"
    if value is None or kind is bool or kind is float or kind is complex or kind is bytes:
        return f"{kind.__name__} {value!r}"
    raise ValueError("not hashable in Python")


def _set_value(items: list[Any]) -> SetValue:
    keys = frozenset(map(key_text, items))
    if len(keys) != len(items):
        raise ValueError("a repeated item")
    return SetValue(keys)


def _dict_value(pairs: list[Any]) -> DictValue:
    entries = {key_text(key): value for key, value in pairs}
    if len(entries) != len(pairs):
        raise ValueError("a repeated key")
    return DictValue(entries)


_BUILDERS: Builders = {
    "tuple": tuple,
    "set": _set_value,
    "frozenset": _set_value,
    "dict": _dict_value,
}


def read_value(data: Any) -> Any:
    """The value in parsed JSON, with SetValue and DictValue inside. Raises Malformed."""
    return decode(data, _BUILDERS)


def value_of(python_value: object) -> Any:
    """The same for a value of this process. Raises Unsupported."""
    return read_value(parse(encode(python_value)))


def holds_nan(value: Any) -> bool:
    """Whether a nan is somewhere inside, so that nothing equals the value."""
    kind = kind_of(value)
    if kind is list or kind is tuple:
        return any(map(holds_nan, value))
    if kind is DictValue:
        return any(map(holds_nan, value.entries.values())) or "float nan" in value.entries
    if kind is SetValue:
        return "float nan" in value.keys
    return (kind is float or kind is complex) and value != value


@dataclass(frozen=True, slots=True)
class Check:
    """What has to hold for a returned value.

    Check("equal", expected=[1, 0.5]).holds([1, 0.5000000000001]) is True
    """

    kind: Literal["equal", "truthy", "falsy"]
    expected: Any = None
    """As `value_of` makes it; of "equal" only."""
    relative: float = 1e-9
    absolute: float = 0.0
    """Tolerances where a float is involved."""
    exact_integers: bool = True
    """Whether two integers must be the same, whatever the tolerances."""
    tuple_is_list: bool = False
    """Whether a list may be returned for a tuple and the other way round."""

    def holds(self, value: Any) -> bool:
        """`value` as `read_value` makes it. Linear in its size."""
        if self.kind == "equal":
            return self._equal(self.expected, value)
        return _truth(value) == (self.kind == "truthy")

    def _equal(self, expected: Any, got: Any) -> bool:
        kinds = {kind_of(expected), kind_of(got)}
        if len(kinds) == 1 or (self.tuple_is_list and kinds == {list, tuple}):
            return self._equal_kind(expected, got)
        if kinds == {int, float}:
            return self._close(expected, got)
        if kinds <= {int, float, complex}:
            return self._close_complex(expected, got)
        return False

    def _equal_kind(self, expected: Any, got: Any) -> bool:
        kind = kind_of(expected)
        if kind is list or kind is tuple:
            return len(expected) == len(got) and all(map(self._equal, expected, got))
        if kind is DictValue:
            wanted, entries = expected.entries, got.entries
            return wanted.keys() == entries.keys() and all(
                self._equal(value, entries[key]) for key, value in wanted.items()
            )
        if kind is complex:
            return self._close_complex(expected, got)
        if kind is float or (kind is int and not self.exact_integers):
            return self._close(expected, got)
        return expected == got

    def _close(self, expected: float, got: float) -> bool:
        if max(abs(expected), abs(got)) > HUGE and int in (type(expected), type(got)):
            return expected == got
        return math.isclose(expected, got, rel_tol=self.relative, abs_tol=self.absolute)

    def _close_complex(self, expected: complex, got: complex) -> bool:
        parts = (expected.real, expected.imag, got.real, got.imag)
        if any(abs(part) > HUGE for part in parts):
            return expected == got
        return cmath.isclose(expected, got, rel_tol=self.relative, abs_tol=self.absolute)


def _truth(value: Any) -> bool:
    if isinstance(value, SetValue):
        return bool(value.keys)
    if isinstance(value, DictValue):
        return bool(value.entries)
    return bool(value)


def shown(wire_text: str) -> str:
    """The beginning of a value in typed JSON, for reading."""
    text = re.sub(r'\{"float":"([^"]*)"\}', r"\1", wire_text[:200])
    return text[:100] + "..." if len(text) > 100 or len(wire_text) > 200 else text
