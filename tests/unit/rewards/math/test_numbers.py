import random
from fractions import Fraction

import pytest

from rewards.math.numbers import approximates, decimal_comma, exact_number, read_number, terminates


def test_reading_writes_back() -> None:
    rng = random.Random(0)
    for _ in range(500):
        value = rng.randrange(-(10**12), 10**12)
        assert read_number(f"{value:,}") == read_number(str(value)) == value
        denominator = rng.randrange(1, 1000)
        assert read_number(f"{value}/{denominator}") == Fraction(value, denominator)
        assert read_number(f"{value / 8:.3f}") == Fraction(value, 8)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$18", 18),
        (" 18. ", 18),
        ("１８", 18),
        ("\u22125", -5),
        ("007", 7),
        (".5", Fraction(1, 2)),
        ("1 000 000", 10**6),
        ("1 1/2", Fraction(3, 2)),
        ("-1\\frac{1}{2}", Fraction(-3, 2)),
        ("-\\frac{-1}{2}", Fraction(1, 2)),
        ("1.5e3", 1500),
        ("二十一", 21),
        ("一千零五", 1005),
        ("十", 10),
    ],
)
def test_numbers(text: str, value: Fraction) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "seven", "1/0", "3 4", "1,00", "1,0000", "7%", "--7", "0x7", "nan", "9**9", "1_000"),
        *(".", "1e9999", "\\frac{1}{0}", "1 1/0", "二五", "x" * 2000, "7" * 2000),
    ],
)
def test_what_is_no_number(text: str) -> None:
    assert read_number(text) is None


def test_decimal_commas() -> None:
    assert decimal_comma("1,22") == "1.22"
    assert decimal_comma("0,111") == "0.111"
    assert decimal_comma("1,000") is None
    assert decimal_comma("1,2") is None
    assert decimal_comma("0,1") is None


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("0.33333", False),
        ("0.333333", True),
        ("0.333334", True),
        ("0.333335", False),
        ("0.3333334", True),
        ("0.000333", False),
    ],
)
def test_a_decimal_stands_for_an_endless_one_from_six_digits_on(text: str, stands: bool) -> None:
    third, value = Fraction(1, 3), exact_number(text)
    assert not terminates(third) and terminates(Fraction(3, 40))
    assert value is not None
    assert approximates(value, len(text) - 2, third, third) is stands
