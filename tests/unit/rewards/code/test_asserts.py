from __future__ import annotations

from typing import Any

import pytest

from rewards.code.asserts import NotACall, ParsedAssert, read_assert


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("assert f(1, [2], k={'a': (3,)}) == {4}", ("f", (1, [2]), {"k": {"a": (3,)}}, {4})),
        ("  assert f() == -1.5, 'message'\n", ("f", (), {}, -1.5)),
        ("assert 'x' == candidate(None)", ("candidate", (None,), {}, "x")),
        ("assert (f(1)) == (1)", ("f", (1,), {}, 1)),
        ("assert Solution().two(1) == 1 + 2j", ("Solution.two", (1,), {}, 1 + 2j)),
        ("assert f(b'a') is None", ("f", (b"a",), {}, None)),
        ("assert f(1) is True", ("f", (1,), {}, True)),
        ("assert sum(10, 15) == 6", ("sum", (10, 15), {}, 6)),
        ("assert f(set()) == set()", ("f", (set(),), {}, set())),
    ],
)
def test_equality(text: str, wanted: tuple[Any, ...]) -> None:
    function, args, kwargs, expected = wanted
    assert read_assert(text) == ParsedAssert(function, args, kwargs, "equal", expected)


def test_truth() -> None:
    assert read_assert("assert f(1)") == ParsedAssert("f", (1,), kind="truthy")
    assert read_assert("assert not f(1)") == ParsedAssert("f", (1,), kind="falsy")


@pytest.mark.parametrize(
    ("text", "relative", "absolute"),
    [
        ("assert abs(f(1) - 2.5) < 1e-6", 0.0, 1e-6),
        ("assert abs(2.5 - f(1)) <= 1", 0.0, 1.0),
        ("assert math.isclose(f(1), 2.5)", 1e-9, 0.0),
        ("assert isclose(2.5, f(1), rel_tol=0.01, abs_tol=0.5)", 0.01, 0.5),
    ],
)
def test_tolerance(text: str, relative: float, absolute: float) -> None:
    assert read_assert(text) == ParsedAssert(
        "f", (1,), {}, "equal", 2.5, relative=relative, absolute=absolute, exact_integers=False
    )


@pytest.mark.parametrize(
    "text",
    [
        "import math",
        "assert f(1) == 1; assert f(2) == 2",
        "f(1) == 1",
        "assert f(1) == g(1)",
        "assert f(x) == 1",
        "assert f(g(1)) == 1",
        "assert f(*[1]) == 1",
        "assert f(**{'a': 1}) == 1",
        "assert f(1)[0] == 1",
        "assert set(f(1)) == {1}",
        "assert f(1) != 1",
        "assert f(1) in (1, 2)",
        "assert 0 < f(1) < 2",
        "assert f(1) < 2",
        "assert f(1) is not None",
        "assert f(1) is 1",
        "assert f(1) == 1 and f(2) == 2",
        "assert f([0] * 3) == 1",
        "assert f(10**5) == 1",
        "assert f(__import__('os').getpid()) == 1",
        "assert Solution(1).f(2) == 3",
        "assert module.f(2) == 3",
        "assert abs(f(1) - 'a') < 1",
        "assert abs(f(1) + 1) < 1",
        "assert math.isclose(f(1), 2, tolerance=1)",
        "assert math.isclose(f(1), 2, rel_tol=-1)",
        "assert abs(f(1) - 2) < -1",
        "def check(c): assert c(1) == 2",
        "",
    ],
)
def test_other_statements_are_not_calls(text: str) -> None:
    with pytest.raises(NotACall) as caught:
        read_assert(text)
    assert not caught.value.syntax


@pytest.mark.parametrize("text", ["assert f(1 == 2", "assert", "a\0b", "(" * 10_000])
def test_what_is_no_python_is_told_apart(text: str) -> None:
    with pytest.raises(NotACall) as caught:
        read_assert(text)
    assert caught.value.syntax
