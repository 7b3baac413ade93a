from __future__ import annotations

import time
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import pytest

from rewards.code.codec import MAX_NODES, Malformed, Unsupported, decode, encode, parse
from rewards.code.values import Check, holds_nan, read_value, shown, value_of

OVERFLOWING = complex(-1.7e308, 1.7e308)
"""Both parts are finite, and its absolute value is not."""

VALUES: list[Any] = [
    None,
    True,
    0,
    -(2**63) + 1,
    2**63,
    -(10**40),
    1.5,
    -0.0,
    float("inf"),
    1e-300,
    1 - 2j,
    "",
    'a"\\\n\x00\u2028\U0001f600\ud800',
    b"\x00\xff",
    [],
    [[1, [2]], "x"],
    (),
    (1, (2.5, None)),
    set(),
    {1, "a", (2, 3)},
    frozenset({1}),
    {},
    {"a": 1, 2: [3], (4, 5): {6: {7}}, None: True},
]


def name(value: Any) -> str:
    """The order of a set is another one in every process, and processes of tests must agree."""
    return "set of three" if isinstance(value, set) and value else repr(value)


@pytest.mark.parametrize("value", VALUES, ids=name)
def test_values_come_back_as_they_were(value: Any) -> None:
    text = encode(value)
    assert text.isascii()
    assert "\n" not in text
    back = decode(parse(text))
    assert (back, type(back)) == (value, type(value))
    assert repr(back) == repr(value) or isinstance(value, set | frozenset | dict)


def test_dicts_of_the_standard_library_travel_as_dict() -> None:
    for value in (Counter("aab"), OrderedDict(a=2, b=1), defaultdict(int, a=2, b=1)):
        assert decode(parse(encode(value))) == {"a": 2, "b": 1}


OTHERS = {
    "object": object(),
    "type": int,
    "function": lambda: 0,
    "range": range(3),
    "bytearray": bytearray(b"a"),
    "large": [0] * 300_000,
    **{
        f"subclass of {kind.__name__}": type(kind.__name__, (kind,), {})()
        for kind in (int, float, complex, str, bytes, list, tuple, set, frozenset, dict, Counter)
    },
}


@pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS.keys())
def test_other_values_are_unsupported(value: object) -> None:
    with pytest.raises(Unsupported):
        encode([value])


def test_depth_is_limited_on_both_sides() -> None:
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(Unsupported):
        encode(deep)
    with pytest.raises(Malformed):
        read_value(parse("[" * 200 + "]" * 200))
    with pytest.raises(Malformed):
        parse("[" * 100_000 + "]" * 100_000)
    at_limit: dict[int, Any] = {}
    for _ in range(60):
        at_limit = {0: at_limit}
    assert decode(parse(encode(at_limit))) == at_limit


def test_the_number_of_parts_is_limited_on_both_sides() -> None:
    """A reply of four million characters can hold two million parts, which take seconds here."""
    at_limit = {i: i for i in range(66_666)}
    assert decode(parse(encode(at_limit))) == at_limit
    for text in ("[" + "0," * MAX_NODES + "0]", '{"set":[' + "[]," * MAX_NODES + "0]}"):
        with pytest.raises(Malformed, match="too many parts"):
            read_value(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "1.0",
        "NaN",
        "Infinity",
        "1e5",
        str(2**63),
        "9" * 5000,
        '{"a":1,"a":2}',
        '{"tuple":[],"list":[]}',
        "{}",
        '{"any":[]}',
        '{"tuple":1}',
        '{"float":"1"}',
        '{"float":" 1.0"}',
        '{"float":1}',
        '{"int":"10"}',
        '{"int":"0x0010"}',
        '{"bytes":"zz"}',
        '{"bytes":"0 0"}',
        '{"complex":["1.0"]}',
        '{"set":[[]]}',
        '{"set":[1,1]}',
        '{"set":[1,{"float":"1.0"}]}',
        '{"dict":[[1,2],[1,3]]}',
        '{"dict":[[1]]}',
        '{"dict":["ab"]}',
        '{"dict":[{"tuple":[1,2]}]}',
        '{"dict":[[[],1]]}',
        '{"dict":{"a":1}}',
    ],
)
def test_what_the_encoder_never_writes_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        read_value(parse(text))


@pytest.mark.parametrize("text", ["1.0", "NaN", "-Infinity", "1e5", '{"a":1,"a":2}', "9" * 5000])
def test_json_itself_is_read_without_liberties(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


def holds(expected: object, got: object, **options: Any) -> bool:
    return Check("equal", value_of(expected), **options).holds(value_of(got))


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (1, 1.0),
        (1.0, 1),
        (0.3, 0.1 + 0.2),
        (1e300, 1e300 * (1 + 1e-12)),
        (float("inf"), float("inf")),
        (10**400, 10**400),
        ([1, (2, "a")], [1.0, (2, "a")]),
        ({1, 2}, frozenset({2, 1.0})),
        ({"a": 0.3, (1, 2): None}, {(1, 2): None, "a": 0.1 + 0.2}),
        (1j, 1j * (1 + 1e-12)),
        (1, 1 + 0j),
        (OVERFLOWING, OVERFLOWING),
        (b"a", b"a"),
        (0.0, -0.0),
    ],
)
def test_equal(expected: object, got: object) -> None:
    assert holds(expected, got)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (1, True),
        (True, 1),
        (False, 0.0),
        (0, None),
        (1, "1"),
        ([1, 2], (1, 2)),
        ([1, 2], [2, 1]),
        ([1], [1, 2]),
        ([], None),
        ({1}, {True}),
        ({1: "a"}, {True: "a"}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({"1": 1}, {1: 1}),
        ({1, 2}, [1, 2]),
        ({}, set()),
        (1.0, 1.0 + 1e-8),
        (10**19, 10**19 + 1),
        (10**400, float("inf")),
        (float("inf"), 10**400),
        (10**400, 1j),
        (1.5, OVERFLOWING),
        (10**400, OVERFLOWING),
        (1j, OVERFLOWING),
        (OVERFLOWING, 1j),
        (1, complex(float("nan"), 1.7e308)),
        ("a", b"a"),
        (float("nan"), float("nan")),
        ([float("nan")], [float("nan")]),
        (1.0, float("nan")),
        (0.0, 1e-300),
    ],
)
def test_not_equal(expected: object, got: object) -> None:
    assert not holds(expected, got)


def test_options_of_equality() -> None:
    assert holds([(1, 2)], ([1, 2],), tuple_is_list=True)
    assert not holds([{1}], ([1],), tuple_is_list=True)
    assert holds(5, 5.4, relative=0.0, absolute=0.5)
    assert not holds(5, 5.6, relative=0.0, absolute=0.5)
    assert not holds(5, 6, absolute=2.0)
    assert holds(5, 6, absolute=2.0, exact_integers=False)
    assert not holds(1, True, absolute=2.0, exact_integers=False)


def test_truth() -> None:
    for value in VALUES:
        assert Check("truthy").holds(value_of(value)) is bool(value)
        assert Check("falsy").holds(value_of(value)) is not bool(value)


def test_nan_is_found_anywhere() -> None:
    nan = float("nan")
    for value in (nan, [nan], (1, [nan]), {nan}, {nan: 1}, {1: nan}, complex(0, nan)):
        assert holds_nan(value_of(value))
    for value in VALUES:
        assert not holds_nan(value_of(value))


def test_integers_of_equal_hash_take_linear_time() -> None:
    modulus = 2**61 - 1
    numbers = ",".join(f'{{"int":"{hex(i * modulus)}"}}' for i in range(10, 60_000))
    started = time.perf_counter()
    read_value(parse(f'{{"set":[{numbers}]}}'))
    assert time.perf_counter() - started < 15.0


def test_values_are_shown_short() -> None:
    assert shown(encode([1.5, "a"])) == '[1.5,"a"]'
    assert len(shown(encode([0] * 100_000))) < 110
