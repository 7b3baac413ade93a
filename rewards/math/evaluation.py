"""Evaluates expressions: exactly as long as they are rational, with mpmath from there on."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from importlib import import_module
from typing import Any

from rewards.math.nodes import Node, symbols

_mpmath: Any = import_module("mpmath")  # has no type stubs

MAX_EXPONENT = 10_000
"""Largest exponent and factorial argument that is evaluated; 10000! has 118,458 bits."""
MAX_BITS = 200_000
"""Largest power in an exact value."""
MAX_TOTAL_BITS = 2 * MAX_BITS
"""All powers and factorials of one expression together: bounds the time of sums of them."""


_GRID = 2003
"""Denominator of the sample points."""


class TooLarge(ValueError):
    """The value is beyond what is evaluated: a power tower, a huge exponent or factorial."""


class Undefined(ValueError):
    """There is no value here: a division by zero, or a point outside the domain."""


def context_of(digits: int) -> Any:
    """An mpmath context. It is never changed after this, so that threads can share it."""
    context = _mpmath.MPContext()
    context.dps = digits
    return context


class Evaluator:
    """Values are Fractions or numbers of the mpmath context. Symbols have the values of a sample
    point, those from i to n, p and q natural ones on demand; a bare \\log is natural or decimal."""

    def __init__(
        self, context: Any, point: int, natural_log: bool, whole_indices: bool = False
    ) -> None:
        self.context = context
        self.point = point
        self.natural_log = natural_log
        self.whole_indices = whole_indices
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
            return _sample(node.name, self.point, self.whole_indices)
        parts = [self.value(part) for part in node.parts]
        try:
            if kind == "^":
                return self.bounded(self.power(*parts, is_constant=not symbols(node.parts[1])))
            if kind in ("function", "log_base", "apply", "opaque"):
                return self.bounded(self.function(node, parts))
            return self.bounded(_OPERATIONS[kind](self, *parts))
        except (Undefined, TooLarge):
            raise
        except (ArithmeticError, ValueError) as error:  # mpmath's, at a pole or an infinity
            raise Undefined(str(error)) from error

    def bounded(self, value: Any) -> Any:
        """Refuses a number that would fill the memory as an integer."""
        if not isinstance(value, Fraction) and MAX_BITS < self.context.mag(value) < math.inf:
            raise TooLarge("value")
        return value

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

    def invert(self, value: Any) -> Any:
        return self.divide(Fraction(1), value)

    def power(self, base: Any, exponent: Any, is_constant: bool = True) -> Any:
        """An odd root of a negative number is real where the exponent is constant: (-8)^{1/3} is
        -2, but the point at which (-1)^x is compared does not make it 1."""
        if isinstance(exponent, Fraction) and isinstance(base, Fraction):
            if exponent.denominator == 1:
                return self.charge(_rational_power(base, int(exponent)))
            if is_constant or base >= 0:
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

    def negate(self, value: Any) -> Any:
        return -value

    def magnitude(self, value: Any) -> Any:
        return abs(value)

    def itself(self, value: Any) -> Any:
        return value

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
        if node.kind in ("apply", "opaque"):
            # Any smooth function without symmetry will do, the same one for the same name.
            start = context.mpf(zlib.crc32(node.name.encode()) % 997) / 311
            argument = sum((i + 2) * v for i, v in enumerate(values)) + start
            self.refuse_far(argument)
            return context.cos(argument)
        if node.kind == "log_base":
            return self.divide(self.logarithm(values[0]), self.logarithm(values[1]))
        name, argument = node.name, values[0]
        if name in ("log", "lg"):
            natural = name == "log" and self.natural_log
            return self.logarithm(argument) / (1 if natural else context.ln(10))
        if name == "ln":
            return self.logarithm(argument)
        if abs(argument) > MAX_EXPONENT and name in ("exp", "sinh", "cosh"):
            raise TooLarge(name)
        self.refuse_far(argument)
        if name in _RECIPROCALS:
            return self.divide(Fraction(1), getattr(context, _RECIPROCALS[name])(argument))
        return getattr(context, name.replace("arc", "a"))(argument)

    def refuse_far(self, argument: Any) -> None:
        """A periodic function takes as many bits of pi as its argument has."""
        if MAX_EXPONENT < self.context.mag(argument) < math.inf:
            raise TooLarge("the argument of a periodic function")

    def logarithm(self, argument: Any) -> Any:
        if argument == 0:
            raise Undefined("a logarithm of zero")
        self.leave_the_reals(argument)
        return self.context.ln(argument)


def _add(self: Evaluator, *values: Any) -> Any:
    total: Any = Fraction(0)
    for value in values:
        left, right = self.pair(total, value)
        total = left + right
    return total


def _multiply(self: Evaluator, *values: Any) -> Any:
    product: Any = Fraction(1)
    for value in values:
        left, right = self.pair(product, value)
        product = left * right
    return product


def _rounded(name: str) -> Callable[[Evaluator, Any], Any]:
    def apply(self: Evaluator, value: Any) -> Any:
        if isinstance(value, Fraction):
            return Fraction(getattr(math, name)(value))
        value = self.context.re(value)
        if not self.context.isfinite(value):
            raise Undefined(f"the {name} of what is not finite")
        nearest = self.context.nint(value)
        if abs(value - nearest) <= abs(value) * self.context.mpf(10) ** (10 - self.context.dps):
            return nearest  # too close to tell: no exact value, so that a finer context decides
        return Fraction(int(getattr(self.context, name)(value)))

    return apply


_RECIPROCALS = {"cot": "tan", "sec": "cos", "csc": "sin"}
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": _add,
    "*": _multiply,
    "frac": Evaluator.divide,
    "inverse": Evaluator.invert,
    "root": Evaluator.root,
    "!": Evaluator.factorial,
    "binom": Evaluator.binomial,
    "neg": Evaluator.negate,
    "abs": Evaluator.magnitude,
    "group": Evaluator.itself,
    "floor": _rounded("floor"),
    "ceil": _rounded("ceil"),
}


@lru_cache(maxsize=4096)
def _sample(name: str, point: int, whole_indices: bool) -> Fraction:
    """A value for a symbol: positive at even points, negative at odd ones; of each six the third
    and fourth within the unit interval (for arcsin and its like), the last two far out. An index
    is a small natural number at the first four points, and up to 60 at the others."""
    rng = random.Random(f"{name} {point}")
    if whole_indices and is_index(name):
        return Fraction(rng.randint(1, 4) if point < 4 else rng.randint(1, 60))
    low, high = ((0.5, 3), (0.001, 1), (5, 500))[point % 6 // 2]
    value = Fraction(rng.randint(int(low * _GRID), int(high * _GRID)), _GRID)
    return -value if point % 2 else value


def is_index(name: str) -> bool:
    """Whether a symbol is usually a whole number: i_1, k, n, p."""
    return name[0] in "ijklmnpq" and name[1:2] in ("", "_", "'")


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
    if (base < 0 and degree % 2 == 0) or not 0 < degree <= 64:
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
