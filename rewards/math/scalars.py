"""Whether two answers without outer structure are the same: numbers, quantities, residues."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from configs.rewards import MathSettings
from rewards.math.evaluation import Undefined
from rewards.math.expression import Unreadable, parse
from rewards.math.nodes import Node
from rewards.math.normalise import same_spelling
from rewards.math.numbers import (
    approximates,
    decimal_places,
    exact_number,
    terminates,
)
from rewards.math.units import Unit, split_unit
from rewards.math.values import bounds, exact_value, same_value
from rewards.math.words import plain, words

Symbolic = Callable[[str, str], bool]
"""The last resort: Math-Verify's verdict on (gold, answer)."""

_BASED = re.compile(r"\(?\s*([0-9][0-9A-Fa-f ]*)\s*\)?\s*_\s*(?:\{(.*)\}|(\d))")
_BASE_NAMES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)
_MODULO = re.compile(
    r"(?P<number>.+?)\s*(?:\\(?P<how>pmod|bmod|mod)|\(?\s*\\text\s*\{\s*\(?mod\s*\}|\(mod)\s*"
    r"[{(]?\s*(?P<modulus>\d+)\s*[})]*"
)
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}|[\u4e00-\u9fff]{2,}")


def same_scalar(gold: str, answer: str, settings: MathSettings, symbolic: Symbolic) -> bool:
    """Both are normalised texts. Raises TooLarge, and whatever the symbolic stage raises."""
    if same_spelling(gold) == same_spelling(answer):
        return True
    gold_key, answer_key = words(gold), words(answer)
    if gold_key is not None or answer_key is not None:
        return (gold_key or plain(gold)) == (answer_key or plain(answer))
    gold_number, gold_unit, gold_times = split_unit(gold)
    number, unit, times = split_unit(answer)
    gold_number = _times(gold_number, Fraction(gold_times))
    number = _times(number, Fraction(times))

    def same(left: str, right: str) -> bool:
        return _same_number(left, right, settings, symbolic)

    if settings.ignore_units and not (_is_percent(gold_unit) or _is_percent(unit)):
        return same(gold_number, number)
    if gold_unit is not None and unit is not None:
        scale = unit.factor / gold_unit.factor
        return unit.powers == gold_unit.powers and same(gold_number, _times(number, scale))
    if gold_unit is not None:
        # A unit left out is no mistake; "50" for gold "50 %" leaves out the sign.
        return same(gold_number, number) or _converted(gold_unit, gold_number, number, same)
    if unit is None or not unit.is_percent:
        return same(gold_number, number) or _converted(
            unit, number, gold_number, lambda converted, other: same(other, converted)
        )
    # A percent sign that the gold answer lacks is a statement: 50 % is a half, not 50.
    lenient = settings.percent_leniency and same(gold_number, number)
    return lenient or same(gold_number, _times(number, Fraction(1, 100)))


def _is_percent(unit: Unit | None) -> bool:
    return unit is not None and unit.is_percent


def _converted(
    unit: Unit | None, number: str, other: str, same: Callable[[str, str], bool]
) -> bool:
    """Whether 50 % is 0.5, or 180 degrees is pi, on the other side."""
    if unit is not None and unit.is_percent:
        return same(_times(number, Fraction(1, 100)), other)
    if unit is not None and unit.is_degree and "\\pi" in other:
        return same(f"({number}) \\cdot \\frac{{\\pi}}{{180}}", other)
    return False


def _times(number: str, factor: Fraction) -> str:
    if factor == 1:
        return number
    return f"({number}) \\cdot \\frac{{{factor.numerator}}}{{{factor.denominator}}}"


def _same_number(gold: str, answer: str, settings: MathSettings, symbolic: Symbolic) -> bool:
    gold_value, value = exact_number(gold), exact_number(answer)
    if gold_value is not None and value is not None:
        return _same_exact(gold, gold_value, answer, value, settings)
    residues = _same_residue(gold, answer)
    if residues is not None:
        return residues
    try:
        gold_node, node = _read(gold), _read(answer)
        verdict = same_value(gold_node, node)
    except Unreadable:
        verdict = None
    else:
        if verdict is False:
            return _close(gold, gold_node, answer, node, settings)
    if verdict is None:
        # Without a command there is nothing that only Math-Verify could read.
        readable = "\\" in gold + answer and not (_PROSE.search(gold) or _PROSE.search(answer))
        return readable and symbolic(gold, answer)
    return verdict


def _read(text: str) -> Node:
    """As parse(), and numbers in other bases: 1101_2."""
    match = _BASED.fullmatch(text)
    if match is None:
        return parse(text)
    name = re.sub(r"\\text|[{} ]", "", match[2] or match[3])
    base = _BASE_NAMES.index(name) if name in _BASE_NAMES else int(name) if name.isdigit() else 0
    try:
        return Node("number", value=Fraction(int(match[1].replace(" ", ""), base)))
    except ValueError as error:
        raise Unreadable(text) from error


def _same_exact(
    gold: str, gold_value: Fraction, answer: str, value: Fraction, settings: MathSettings
) -> bool:
    if value == gold_value:
        return True
    places, gold_places = decimal_places(answer), decimal_places(gold)
    if settings.round_to_gold and gold_places is not None:
        return abs(value - gold_value) <= Fraction(1, 2 * 10**gold_places)
    if places is not None and not terminates(gold_value):
        return approximates(value, places, gold_value, gold_value)
    if gold_places is not None and not terminates(value):
        return approximates(gold_value, gold_places, value, value)
    return False


def _close(gold: str, gold_node: Node, answer: str, node: Node, settings: MathSettings) -> bool:
    """Whether a decimal number stands for an irrational one: 1.41421356 for sqrt 2."""
    places, gold_places = decimal_places(answer), decimal_places(gold)
    if (places is None) == (gold_places is None):
        return False
    decimal = gold if places is None else answer
    limits = bounds(node if places is None else gold_node)
    value = exact_number(decimal)
    if limits is None or value is None:
        return False
    if settings.round_to_gold and gold_places is not None:
        return abs(limits[0] - value) <= Fraction(1, 2 * 10**gold_places)
    if limits[0] == limits[1] and terminates(limits[0]):
        return False
    return approximates(value, places or gold_places or 0, *limits)


def _same_residue(gold: str, answer: str) -> bool | None:
    """3 \\pmod 7 is 10 \\pmod 7 but neither 3 \\pmod 5 nor 10; 3^{100} \\bmod 7 is the number 4.
    None where nothing is taken modulo anything."""
    gold_match, match = _MODULO.fullmatch(gold), _MODULO.fullmatch(answer)
    if gold_match is None and match is None:
        return None
    left, right = _residue(gold, gold_match), _residue(answer, match)
    if left is None or right is None:
        return False
    if left[1] and right[1]:
        return left[1] == right[1] and (left[0] - right[0]) % left[1] == 0
    return left[0] == right[0]


def _residue(text: str, match: re.Match[str] | None) -> tuple[Fraction, int] | None:
    """The number and, for a class of residues, its modulus; 0 for a number."""
    try:
        if match is None:
            value = exact_value(parse(text))
            return None if value is None else (value, 0)
        modulus = int(match["modulus"])
        value = _power_modulo(parse(match["number"]), modulus)
    except (Unreadable, Undefined):
        return None
    if value is None or modulus == 0:
        return None
    return (value % modulus, 0) if match["how"] == "bmod" else (value, modulus)


def _power_modulo(node: Node, modulus: int) -> Fraction | None:
    if node.kind == "^" and modulus:
        base, exponent = (exact_value(part) or Fraction(0) for part in node.parts)
        if base.denominator == exponent.denominator == 1 and exponent > 0:
            return Fraction(pow(int(base), int(exponent), modulus))
    return exact_value(node)
