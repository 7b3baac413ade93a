"""Whether two expressions have the same value, decided by exact fractions where there are roots
and functions by two precisions, at points that no answer can know where there are symbols.

Polynomials that agree at random rational points are equal but with negligible probability
(Schwartz-Zippel). Two constants agree when their difference shrinks with the working precision: a
difference that is there, however small, does not.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from rewards.math.evaluation import MAX_BITS, Evaluator, TooLarge, Undefined, context_of
from rewards.math.nodes import Node, contains, symbols

NUM_POINTS = 4
"""Sample points for expressions with symbols."""

_CONTEXTS = (context_of(50), context_of(100))
"""Working precisions, in digits."""
_NOISE, _AGREE = 1e-30, -90
_SMALL, _DISTINCT = "1e-20", "1e-15"


def exact_value(node: Node) -> Fraction | None:
    """The value if it is rational and comes out exactly; raises TooLarge or Undefined."""
    if symbols(node) or contains(node, "opaque"):
        return None
    value = Evaluator(_CONTEXTS[0], 0, natural_log=False).value(node)
    return value if isinstance(value, Fraction) else None


def bounds(node: Node) -> tuple[Fraction, Fraction] | None:
    """Two fractions 1e-40 around the value of a real constant; None when there is none."""
    if symbols(node) or contains(node, "opaque"):
        return None
    value = Evaluator(_CONTEXTS[0], 0, natural_log=False).value(node)
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
    if True in verdicts:
        return True
    # Sums over different limits may still be equal.
    return None if None in verdicts or contains(both, "opaque") else False


def ratio_sign(gold: Node, answer: Node) -> int | None:
    """The sign of the constant c when answer = c * gold with c != 0 at every point; else 0, or
    None when sums leave that open."""
    ratios: list[Any] = []
    for point in range(NUM_POINTS):
        evaluator = Evaluator(_CONTEXTS[0], point, natural_log=True)
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
        return None if contains(Node("pair", (gold, answer)), "opaque") else 0
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
        evaluator = Evaluator(context, point, natural_log)
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
