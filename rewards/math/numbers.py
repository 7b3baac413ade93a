"""Plain numbers, read exactly: never a float, never an expression."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

MAX_CHARACTERS = 1000
"""Longer numbers are not read: int() takes quadratic time in the number of digits."""

APPROXIMATION_DIGITS = 6
"""A decimal stands for a number that has none (1/3, sqrt 2) from this many significant digits."""

# Possessive quantifiers never give characters back, so matching takes linear time.
_NUMBER = re.compile(
    r"(?P<sign>[+-]?+)\s?+"
    r"(?P<whole>[0-9]{1,3}+(?:,[0-9]{3})++|[0-9]{1,3}+(?: [0-9]{3})++|[0-9]++)?+"
    r"(?:\.(?P<decimals>[0-9]*+))?+(?:\s?/\s?(?P<denominator>[0-9]++))?+"
)
_MIXED = re.compile(r"([+-]?+)([0-9]++) ([0-9]++)/([0-9]++)")
_FRACTION = re.compile(
    r"([+-]?+)\s?+([0-9]*+)\s?+\\frac\s?+\{\s?+([+-]?+[0-9]++)\s?+\}\s?+\{\s?+([0-9]++)\s?+\}"
)
_DECIMAL = re.compile(r"[+-]?+\s?+[0-9]*+\.(?P<decimals>[0-9]++)")
_SCIENTIFIC = re.compile(r"([+-]?+[0-9]++(?:\.[0-9]++)?+)[eE]([+-]?+[0-9]{1,3}+)")

_CHINESE_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
}
_CHINESE_TENS = {"十": 10, "百": 100, "千": 1000}


def read_number(text: str) -> Fraction | None:
    """The exact value of "-1,234.50", "3/4", "$18", "１２" or "12."; None for anything else."""
    if len(text) > MAX_CHARACTERS:
        return None
    # NFKC turns full-width digits into ASCII ones; U+2212 is the mathematical minus sign.
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()
    text = text.removeprefix("$").removesuffix("$").removesuffix(".").strip()
    return exact_number(text)


def exact_number(text: str) -> Fraction | None:
    """The exact value of a normalised text that is a number and nothing else: an integer, a
    decimal, a fraction, a mixed number or 1.5e3."""
    if len(text) > MAX_CHARACTERS or not text:
        return None
    if text[0] in _CHINESE_DIGITS or text[0] in _CHINESE_TENS:
        return _chinese(text)
    mixed = _MIXED.fullmatch(text)
    if mixed is not None:
        return _mixed(*mixed.groups())
    match = _NUMBER.fullmatch(text)
    if match is None or not (match["whole"] or match["decimals"]):
        return _latex_fraction(text)
    whole, decimals = re.sub("[, ]", "", match["whole"] or "0"), match["decimals"] or ""
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    if match["denominator"] is not None:
        denominator = int(match["denominator"])
        if denominator == 0:
            return None
        value /= denominator
    return -value if match["sign"] == "-" else value


def _latex_fraction(text: str) -> Fraction | None:
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific is not None:
        return Fraction(scientific[1]) * Fraction(10) ** int(scientific[2])
    match = _FRACTION.fullmatch(text)
    if match is None:
        return None
    sign, whole, above, below = match.groups()
    if whole:
        return None if above[0] in "+-" else _mixed(sign, whole, above, below)
    if int(below) == 0:
        return None
    value = Fraction(int(above), int(below))
    return -value if sign == "-" else value


def _mixed(sign: str, whole: str, above: str, below: str) -> Fraction | None:
    if int(below) == 0:
        return None
    value = int(whole) + Fraction(int(above), int(below))
    return -value if sign == "-" else value


def _chinese(text: str) -> Fraction | None:
    """一百零五 is 105; only as far as 千, which is as far as answers are spelt out."""
    total, digit = 0, None
    for character in text:
        if character in _CHINESE_DIGITS and digit in (None, 0):
            digit = _CHINESE_DIGITS[character]
        elif character in _CHINESE_TENS:
            total += (1 if digit is None else digit) * _CHINESE_TENS[character]
            digit = None
        else:
            return None
    return Fraction(total + (digit or 0))


def decimal_places(text: str) -> int | None:
    """How many decimals a text gives if it is a decimal number ("3.140" gives 3), else None."""
    match = _DECIMAL.fullmatch(text)
    return None if match is None else len(match["decimals"])


def decimal_comma(text: str) -> str | None:
    """The same number with a decimal point if the text has a decimal comma that cannot separate
    thousands or, with one decimal only, list items: "1,22" and "0,111", not "1,000", "1,2" or
    "0,1"."""
    if re.fullmatch(r"[+-]?(?:0,[0-9]{3}|[0-9]+,(?:[0-9]{2}|[0-9]{4,}))", text):
        return text.replace(",", ".")
    return None


def terminates(value: Fraction) -> bool:
    """Whether the decimal expansion ends."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def approximates(decimal: Fraction, places: int, low: Fraction, high: Fraction) -> bool:
    """Whether a decimal with so many places is the number between low and high, rounded or cut
    off, and long enough to stand for it."""
    unit = Fraction(1, 10**places)
    if abs(decimal) < unit * 10 ** (APPROXIMATION_DIGITS - 1):
        return False
    return low - unit < decimal < high + unit
