from __future__ import annotations

import time

import pytest

from rewards.code.compare import OutputComparison, describe_difference

TOKENS, EXACT, FLOAT = (
    OutputComparison("tokens"),
    OutputComparison("exact"),
    OutputComparison("float", 1e-6),
)


@pytest.mark.parametrize(
    ("how", "expected", "got"),
    [
        (TOKENS, b"1 2\n3", b"  1\t2 \r\n\n3\n"),
        (TOKENS, b"", b" \n"),
        (EXACT, b"1 2\n", b"1 2"),
        (EXACT, b"1 2", b"1 2\n"),
        (EXACT, b"1\n", b"1\r\n"),
        (FLOAT, b"0.3333333 x", b"0.33333334 x"),
        (FLOAT, b"1e6", b"1000000.5"),
        (FLOAT, b"0", b"1e-7"),
        (FLOAT, b"2", b"2.0"),
        (FLOAT, b"007", b"7"),
        (FLOAT, b"-.5", b"-0.5"),
    ],
)
def test_same(how: OutputComparison, expected: bytes, got: bytes) -> None:
    assert how.same(expected, got)


@pytest.mark.parametrize(
    ("how", "expected", "got"),
    [
        (TOKENS, b"1 2", b"1"),
        (TOKENS, b"1", b"1 2"),
        (TOKENS, b"1", b"1.0"),
        (TOKENS, b"yes", b"YES"),
        (TOKENS, b"12", b"1 2"),
        (TOKENS, b"1", b"1\xa0"),
        (EXACT, b"1 2", b"1  2"),
        (EXACT, b"1", b"1\n\n"),
        (EXACT, b"1", b" 1"),
        (FLOAT, b"0.5", b"0.500002"),
        (FLOAT, b"1000000000000000001", b"1000000000000000002"),
        (FLOAT, b"nan", b"NaN"),
        (FLOAT, b"1", b"nan"),
        (FLOAT, b"1", b"inf"),
        (FLOAT, b"1e999", b"2e999"),
        (FLOAT, b"1.0", b"1e999"),
        (FLOAT, b"10.0", b"1_0.0"),
        (FLOAT, b"1.0", "１.０".encode()),
        (FLOAT, b"1.0 2.0", b"1.0"),
        (FLOAT, b"1.0", b"0x1"),
    ],
)
def test_different(how: OutputComparison, expected: bytes, got: bytes) -> None:
    assert not how.same(expected, got)


def test_long_outputs_take_linear_time() -> None:
    number = b"9" * 1_000_000
    started = time.perf_counter()
    assert not FLOAT.same(number, b"8" + number)
    assert not FLOAT.same(b"1.5 " * 100_000, b"1.6 " * 100_000)
    assert time.perf_counter() - started < 1.0


def test_the_first_difference_is_told() -> None:
    assert describe_difference(b"1 2 3", b"1 4 3") == "word 2: expected '2', got '4'"
    assert describe_difference(b"1 2", b"1") == "expected 2 words, got 1"
    assert describe_difference(b"1 2", b"1  2") == "white space differs"
    assert len(describe_difference(b"1" * 10**6, b"2")) < 100
