"""Typed JSON for values that cross the border of the sandbox, in both directions.

This file is imported here, and is also sent into the sandbox as text in front of a driver, so it
imports nothing of this project. There a hostile program shares its interpreter. It decides by
`type(x) is`: isinstance and == can be taught to lie by the value that is looked at.

    None, bool, str     as in JSON             tuple       {"tuple": [...]}
    int below 2**63     as in JSON             set         {"set": [...]}
    larger int          {"int": "-0x1f"}       frozenset   {"frozenset": [...]}
    float               {"float": "0.1"}       dict        {"dict": [[key, value], ...]}
    complex             {"complex": [re, im]}  bytes       {"bytes": "00ff"}
    list                as in JSON

Counter, defaultdict and OrderedDict travel as dict, to which they are equal in Python as well.
"""

import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

MAX_NODES = 200_000
MAX_DEPTH = 60
MAX_CHARACTERS = 4_000_000
SMALL_INT = 2**63

quoted = json.encoder.encode_basestring_ascii
kind_of: Callable[[Any], type[Any]] = type
items_of: Callable[[Any], Iterable[tuple[Any, Any]]] = dict[Any, Any].items


class Unsupported(Exception):
    """A value of another type, or one too large or too deep. The message says which."""


class Malformed(ValueError):
    """Text or data that `encode` never makes."""


class _Writer:
    """The text of one value, kept within the limits while it grows."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.nodes = 0
        self.characters = 0

    def put(self, text: str) -> None:
        self.characters += len(text)
        if self.characters > MAX_CHARACTERS:
            raise Unsupported(f"a value of more than {MAX_CHARACTERS} characters")
        self.parts.append(text)

    def value(self, value: Any, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise Unsupported(f"a value of more than {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            raise Unsupported(f"a value nested more than {MAX_DEPTH} deep")
        kind = kind_of(value)
        if kind is list:
            self.items(value, depth, "[", "]")
        elif kind is tuple or kind is set or kind is frozenset:
            self.items(value, depth, f'{{"{kind.__name__}":[', "]}")
        elif kind is dict or kind is Counter or kind is OrderedDict or kind is defaultdict:
            pairs = [list(pair) for pair in items_of(value)]
            # A pair is not a level of the value: keys and values are one deeper than their dict.
            self.items(pairs, depth - 1, '{"dict":[', "]}")
        else:
            self.put(_scalar(value, kind))

    def items(self, items: Iterable[Any], depth: int, opening: str, closing: str) -> None:
        self.put(opening)
        separator = ""
        for item in items:
            self.put(separator)
            self.value(item, depth + 1)
            separator = ","
        self.put(closing)


def _scalar(value: Any, kind: type) -> str:
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        small = -SMALL_INT < value < SMALL_INT
        return repr(value) if small else f'{{"int":"{hex(value)}"}}'
    if kind is str:
        return quoted(value)
    if kind is float:
        return f'{{"float":"{value!r}"}}'
    if kind is complex:
        return f'{{"complex":["{value.real!r}","{value.imag!r}"]}}'
    if kind is bytes:
        return f'{{"bytes":"{value.hex()}"}}'
    raise Unsupported(f"a value of type {type.__dict__['__name__'].__get__(kind)[:80]}")


def encode(value: object) -> str:
    """The value as JSON in ASCII, on one line. Raises Unsupported.

    encode((1, 0.5)) == '{"tuple":[1,{"float":"0.5"}]}'
    """
    writer = _Writer()
    writer.value(value, 0)
    return "".join(writer.parts)


def call_text(function: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """A call as typed JSON. Raises Unsupported."""
    return encode([function, list(args), dict(kwargs)])


def parse(line: str) -> Any:
    """JSON without the liberties of Python's reader: no bare floats, no NaN, no repeated keys.
    Raises Malformed."""
    try:
        return json.loads(
            line,
            object_pairs_hook=_unique_keys,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)[:200]) from error


def _refuse(text: str) -> None:
    raise Malformed(f"bare number {text[:40]}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Malformed("a repeated key")
    return result


def _unique(kind: Any, items: list[Any]) -> Any:
    result = kind(items)
    if len(result) != len(items):
        raise ValueError("a repeated item")
    return result


Builders = Mapping[str, Callable[[list[Any]], Any]]
PYTHON_CONTAINERS: Builders = {
    "tuple": tuple,
    "set": lambda items: _unique(set, items),
    "frozenset": lambda items: _unique(frozenset, items),
    "dict": lambda pairs: _unique(dict, pairs),
}
"""From a tag to what makes the container of its decoded items; of pairs [key, value] for dict."""


def decode(data: Any, builders: Builders = PYTHON_CONTAINERS) -> Any:
    """The value that `encode` was given; `data` comes from `parse`. Raises Malformed."""
    return _Reader(builders).value(data, 0)


class _Reader:
    """Decodes one value, within the limits that its writer kept."""

    def __init__(self, builders: Builders) -> None:
        self.builders = builders
        self.nodes = 0

    def value(self, data: Any, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise Malformed("too many parts")
        if depth > MAX_DEPTH:
            raise Malformed("too deep")
        kind = kind_of(data)
        if data is None or kind is bool or kind is str:
            return data
        if kind is int and -SMALL_INT < data < SMALL_INT:
            return data
        if kind is list:
            return [self.value(item, depth + 1) for item in data]
        if kind is dict and len(data) == 1:
            [(tag, content)] = data.items()
            try:
                if tag in self.builders and kind_of(content) is list:
                    return self.container(tag, content, depth)
                return _decode_scalar(tag, content)
            except (TypeError, ValueError) as error:
                raise Malformed(f"not a {tag[:20]}: {str(error)[:80]}") from error
        raise Malformed("not a typed value")

    def container(self, tag: str, content: list[Any], depth: int) -> Any:
        build = self.builders[tag]
        if tag != "dict":
            return build([self.value(item, depth + 1) for item in content])
        if any(kind_of(pair) is not list or len(pair) != 2 for pair in content):
            raise ValueError("its items are not pairs")
        return build([self.value(pair, depth) for pair in content])


def _decode_scalar(tag: str, content: Any) -> Any:
    if tag == "complex" and kind_of(content) is list and len(content) == 2:
        return complex(*(_decode_scalar("float", part) for part in content))
    if kind_of(content) is str:
        if tag == "float" and repr(number := float(content)) == content:
            return number
        if tag == "int" and hex(integer := int(content, 16)) == content:
            return integer
        if tag == "bytes" and (octets := bytes.fromhex(content)).hex() == content:
            return octets
    raise ValueError("unknown or not as written by the encoder")
