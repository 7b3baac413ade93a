"""Whether two expressions have the same value, decided by exact fractions where there are roots
and functions by two precisions, at points that no answer can know where there are symbols.

Polynomials that agree at random rational points are equal but with negligible probability
(Schwartz-Zippel). Two constants agree when their difference shrinks with the working precision: a
difference that is there, however small, does not.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from importlib import import_module
from typing import Any

from rewards.math.expression import Node, contains, symbols

# mpmath has no type stubs. Contexts are never changed after this, so that threads can share them.
_mpmath: Any = import_module("mpmath")
MAX_EXPONENT = 10_000
"""Largest exponent and factorial argument that is evaluated; 10000! has 118,458 bits."""
MAX_BITS = 200_000
"""Largest power in an exact value."""
MAX_TOTAL_BITS = 2 * MAX_BITS
"""All powers and factorials of one expression together: bounds the time of sums of them."""
NUM_POINTS = 4
"""Sample points for expressions with symbols."""

_DIGITS = (50, 100)
_NOISE, _AGREE = 1e-30, -90
_SMALL, _DISTINCT = "1e-20", "1e-15"


class TooLarge(ValueError):
    """The value is beyond what is evaluated: a power tower, a huge exponent or factorial."""


class Undefined(ValueError):
    """There is no value here: a division by zero, or a point outside the domain."""


def _context(digits: int) -> Any:
    context = _mpmath.MPContext()
    context.dps = digits
    return context


_CONTEXTS = tuple(map(_context, _DIGITS))


class _Evaluator:
    """Values are Fractions as long as they are rational, mpmath numbers from there on."""

    def __init__(self, context: Any, point: int, natural_log: bool) -> None:
        self.context = context
        self.point = point
        self.natural_log = natural_log
        self.total_bits = 0
        self.left_the_reals = False
        """Whether an even root or a logarithm of a negative number was taken."""

    def charge(self, value: Fraction) -> Fraction:
        """Counts a power or factorial against the total."""
        self.total_bits += value.numerator.bit_length() + value.denominator.bit_length()
        if self.total_bits > MAX_TOTAL_BITS:
            raise TooLarge("all powers together")
        return value

    def value(self, node: Node) -> Any:
        kind = node.kind
        if kind == "number":
            return node.value
        if kind == "constant":
            return self.constant(node.name)
        if kind == "symbol":
            return _sample(node.name, self.point)
        parts = [self.value(part) for part in node.parts]
        if kind in ("function", "log_base", "apply"):
            return self.function(node, parts)
        return _OPERATIONS[kind](self, *parts)

    def constant(self, name: str) -> Any:
        if name == "inf":
            return self.context.inf
        return {"pi": +self.context.pi, "e": +self.context.e, "i": self.context.j}[name]

    def leave_the_reals(self, value: Any, is_even: bool = True) -> None:
        negative = self.context.im(value) == 0 and self.context.re(value) < 0
        self.left_the_reals = self.left_the_reals or (is_even and bool(negative))

    def real(self, value: Any) -> Any:
        """As an mpmath number."""
        if isinstance(value, Fraction):
            return self.context.mpf(value.numerator) / value.denominator
        return value

    def pair(self, left: Any, right: Any) -> tuple[Any, Any]:
        if isinstance(left, Fraction) and isinstance(right, Fraction):
            return left, right
        return self.real(left), self.real(right)

    def divide(self, left: Any, right: Any) -> Any:
        if right == 0:
            raise Undefined("division by zero")
        left, right = self.pair(left, right)
        return left / right

    def power(self, base: Any, exponent: Any) -> Any:
        if isinstance(exponent, Fraction) and isinstance(base, Fraction):
            if exponent.denominator == 1:
                return self.charge(_rational_power(base, int(exponent)))
            return self.root(base, Fraction(exponent.denominator), exponent.numerator)
        if base == 0:
            raise Undefined("a power of zero")
        base, exponent = self.pair(base, exponent)
        self.leave_the_reals(base)
        if abs(exponent) > MAX_EXPONENT:
            raise TooLarge("exponent")
        return base**exponent

    def root(self, base: Any, degree: Any, exponent: int = 1) -> Any:
        if not isinstance(degree, Fraction) or degree.denominator != 1 or degree == 0:
            return self.power(base, self.divide(Fraction(1), degree))
        if isinstance(base, Fraction):
            exact = _rational_root(base, int(degree))
            if exact is not None:
                return self.charge(_rational_power(exact, exponent))
        if base == 0:
            return Fraction(0)
        base = self.real(base)
        self.leave_the_reals(base, degree % 2 == 0)
        if degree % 2 and self.context.im(base) == 0 and base < 0:
            return (-((-base) ** self.real(1 / degree))) ** exponent
        return (base ** self.real(1 / degree)) ** exponent

    def factorial(self, argument: Any) -> Any:
        if not isinstance(argument, Fraction) or argument.denominator != 1 or argument < 0:
            raise Undefined("a factorial of what is no natural number")
        if argument > MAX_EXPONENT:
            raise TooLarge("factorial")
        return self.charge(Fraction(math.factorial(int(argument))))

    def binomial(self, above: Any, below: Any) -> Any:
        if not all(isinstance(v, Fraction) and v.denominator == 1 for v in (above, below)):
            raise Undefined("a binomial coefficient of what are no integers")
        if above > MAX_EXPONENT:
            raise TooLarge("binomial coefficient")
        if above < 0 or below < 0:
            raise Undefined("a negative binomial coefficient")
        return self.charge(Fraction(math.comb(int(above), int(below))))

    def function(self, node: Node, arguments: list[Any]) -> Any:
        context = self.context
        values = [self.real(argument) for argument in arguments]
        if node.kind == "apply":
            # Any smooth function without symmetry will do, the same one for the same name.
            start = context.mpf(zlib.crc32(node.name.encode()) % 997) / 311
            return context.cos(sum((i + 2) * v for i, v in enumerate(values)) + start)
        if node.kind == "log_base":
            return self.logarithm(values[0]) / self.logarithm(values[1])
        name, argument = node.name, values[0]
        if name in ("log", "lg"):
            natural = name == "log" and self.natural_log
            return self.logarithm(argument) / (1 if natural else context.ln(10))
        if name == "ln":
            return self.logarithm(argument)
        if abs(argument) > MAX_EXPONENT and name in ("exp", "sinh", "cosh"):
            raise TooLarge(name)
        if name in _RECIPROCALS:
            return self.divide(Fraction(1), getattr(context, _RECIPROCALS[name])(argument))
        return getattr(context, name.replace("arc", "a"))(argument)

    def logarithm(self, argument: Any) -> Any:
        if argument == 0:
            raise Undefined("a logarithm of zero")
        self.leave_the_reals(argument)
        return self.context.ln(argument)


def _add(self: _Evaluator, left: Any, right: Any) -> Any:
    left, right = self.pair(left, right)
    return left + right


def _multiply(self: _Evaluator, left: Any, right: Any) -> Any:
    left, right = self.pair(left, right)
    return left * right


def _rounded(rounding: Callable[[Any], int]) -> Callable[[_Evaluator, Any], Any]:
    def apply(self: _Evaluator, value: Any) -> Any:
        return Fraction(int(rounding(value if isinstance(value, Fraction) else value.real)))

    return apply


_RECIPROCALS = {"cot": "tan", "sec": "cos", "csc": "sin"}
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": _add,
    "*": _multiply,
    "/": _Evaluator.divide,
    "^": _Evaluator.power,
    "root": _Evaluator.root,
    "!": _Evaluator.factorial,
    "binomial": _Evaluator.binomial,
    "neg": lambda _, value: -value,
    "abs": lambda _, value: abs(value),
    "group": lambda _, value: value,
    "floor": _rounded(math.floor),
    "ceil": _rounded(math.ceil),
}


@lru_cache(maxsize=4096)
def _sample(name: str, point: int) -> Fraction:
    """A value for a symbol: positive at even points, negative at odd ones."""
    seed = zlib.crc32(f"{name} {point}".encode())
    value = Fraction(1000 + seed % 4999, 2003)
    return -value if point % 2 else value


def _rational_power(base: Fraction, exponent: int) -> Fraction:
    if base == 0 and exponent < 0:
        raise Undefined("a negative power of zero")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) > MAX_EXPONENT and abs(base) not in (0, 1):
        raise TooLarge("exponent")
    if size * min(abs(exponent), MAX_EXPONENT) > MAX_BITS and size > 1:
        raise TooLarge("power")
    return base ** (exponent if abs(base) not in (0, 1) else exponent % 2 or 2 * bool(exponent))


def _rational_root(base: Fraction, degree: int) -> Fraction | None:
    """The exact root if it is rational."""
    if base < 0 and degree % 2 == 0 or not 0 < degree <= 64:
        return None
    parts: list[int] = []
    for part in (abs(base.numerator), base.denominator):
        root = math.isqrt(part) if degree == 2 else _integer_root(part, degree)
        if root**degree != part:
            return None
        parts.append(root)
    return Fraction(parts[0] if base > 0 else -parts[0], parts[1])


def _integer_root(value: int, degree: int) -> int:
    """The largest integer whose power does not exceed the value, by bisection."""
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    return low


def exact_value(node: Node) -> Fraction | None:
    """The value if it is rational and comes out exactly; raises TooLarge or Undefined."""
    if symbols(node):
        return None
    value = _Evaluator(_CONTEXTS[0], 0, natural_log=False).value(node)
    return value if isinstance(value, Fraction) else None


def bounds(node: Node) -> tuple[Fraction, Fraction] | None:
    """Two fractions 1e-40 around the value of a real constant; None when there is none."""
    if symbols(node):
        return None
    value = _Evaluator(_CONTEXTS[0], 0, natural_log=False).value(node)
    if isinstance(value, Fraction):
        return value, value
    if _CONTEXTS[0].im(value) != 0 or not _CONTEXTS[0].isfinite(value):
        return None
    middle = _as_fraction(_CONTEXTS[0].re(value))
    return middle - Fraction(1, 10**40), middle + Fraction(1, 10**40)


def _as_fraction(value: Any) -> Fraction:
    mantissa, exponent = value.man_exp
    if abs(exponent) > MAX_BITS:
        raise TooLarge("value")
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def same_value(gold: Node, answer: Node) -> bool | None:
    """Whether two expressions are equal; None when no point says anything.

    A bare \\log may be natural or decimal, as its author liked. Raises TooLarge.
    """
    both = Node("pair", (gold, answer))
    readings = (True, False) if contains(both, "function", "log") else (False,)
    verdicts = [_same_under(gold, answer, natural_log) for natural_log in readings]
    return True if True in verdicts else None if None in verdicts else False


def ratio_sign(gold: Node, answer: Node) -> int:
    """The sign of the constant c when answer = c * gold with c != 0 at every point; else 0."""
    ratios: list[Any] = []
    for point in range(NUM_POINTS):
        evaluator = _Evaluator(_CONTEXTS[0], point, natural_log=True)
        try:
            ratio = evaluator.divide(evaluator.value(answer), evaluator.value(gold))
        except Undefined:
            continue
        if _imaginary(_CONTEXTS[0], evaluator.real(ratio)):
            continue
        ratios.append(evaluator.real(ratio))
    tolerance = _CONTEXTS[0].mpf(_SMALL)
    constant = bool(ratios) and all(
        abs(ratio - ratios[0]) <= tolerance * abs(ratios[0]) for ratio in ratios
    )
    if not constant or ratios[0] == 0:
        return 0
    return 1 if _CONTEXTS[0].re(ratios[0]) > 0 else -1


def _same_under(gold: Node, answer: Node, natural_log: bool) -> bool | None:
    names = symbols(gold) | symbols(answer)
    is_complex = contains(Node("pair", (gold, answer)), "constant", "i")
    agreed = False
    for point in range(NUM_POINTS if names else 1):
        try:
            verdict = _same_at(gold, answer, point, natural_log, not names or is_complex)
        except Undefined:
            continue
        if verdict is False:
            return False
        agreed = agreed or verdict is True
    return True if agreed else None


def _same_at(
    gold: Node, answer: Node, point: int, natural_log: bool, complex_counts: bool
) -> bool | None:
    """At one point; None where one side is not real while the symbols are."""
    differences: list[Any] = []
    scale: Any = 0
    for context in _CONTEXTS:
        evaluator = _Evaluator(context, point, natural_log)
        left, right = evaluator.pair(evaluator.value(gold), evaluator.value(answer))
        if isinstance(left, Fraction):
            return left == right
        if context.isnan(left) or context.isnan(right):
            raise Undefined("no number")
        if context.isinf(left) or context.isinf(right):
            return bool(left == right)
        if not complex_counts and evaluator.left_the_reals:
            return None
        if not complex_counts and (_imaginary(context, left) or _imaginary(context, right)):
            return None
        scale = max(abs(left), abs(right))
        differences.append(abs(left - right))
        if scale > context.mpf(_SMALL) and differences[0] > context.mpf(_DISTINCT) * scale:
            return False
    coarse, fine = differences
    return bool(fine <= _NOISE * coarse or fine <= _CONTEXTS[1].mpf(10) ** _AGREE * scale)


def _imaginary(context: Any, value: Any) -> bool:
    return bool(abs(context.im(value)) > context.mpf(_SMALL) * abs(value))
