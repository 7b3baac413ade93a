"""Whether two expressions have the same value, decided by exact fractions where there are roots
and functions by two precisions, at points that no answer can know where there are symbols.

Polynomials that agree at random rational points are equal but with negligible probability
(Schwartz-Zippel). Two constants agree when their difference shrinks with the working precision: a
difference that is there, however small, does not.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from rewards.math.evaluation import (
    MAX_BITS,
    Evaluator,
    TooLarge,
    Undefined,
    context_of,
    is_index,
)
from rewards.math.nodes import Node, contains, symbols

NUM_POINTS = 4
"""Sample points for smooth expressions with symbols."""
NUM_MORE_POINTS = 12
"""Sample points for those that are not analytic, or have indices; the most for equations."""
NUM_RATIOS = 3
"""A ratio at fewer points says nothing about whether it is constant."""

_INDEXED = {"^": 1, "root": 1, "!": 0, "binom": 0, "floor": 0, "ceil": 0}
"""The first part of an operation that an index makes one over whole numbers."""

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
    both = Node("pair", (gold, answer))
    whole_indices = _has_index(both)
    context, ratios = _CONTEXTS[0], list[Any]()
    for point in range(NUM_MORE_POINTS):
        evaluator = Evaluator(context, point, True, whole_indices)
        try:
            ratio = evaluator.real(evaluator.divide(*map(evaluator.value, (answer, gold))))
        except Undefined:
            continue
        except TooLarge:
            if point < NUM_POINTS:
                raise
            continue
        if not _imaginary(context, ratio):
            ratios.append(ratio)
        if len(ratios) == NUM_POINTS:
            break
    if len(ratios) < NUM_RATIOS:
        return None
    tolerance = context.mpf(_SMALL)
    constant = all(abs(ratio - ratios[0]) <= tolerance * abs(ratios[0]) for ratio in ratios)
    if not constant or ratios[0] == 0:
        return None if contains(both, "opaque") else 0
    return 1 if context.re(ratios[0]) > 0 else -1


def _same_under(gold: Node, answer: Node, natural_log: bool) -> bool | None:
    both = Node("pair", (gold, answer))
    names = symbols(both)
    is_complex = contains(both, "constant", "i")
    whole_indices = _has_index(both)
    more = whole_indices or _is_piecewise(both)
    agreed = False
    for point in range((NUM_MORE_POINTS if more else NUM_POINTS) if names else 1):
        evaluators = [Evaluator(each, point, natural_log, whole_indices) for each in _CONTEXTS]
        try:
            verdict = _same_at(gold, answer, evaluators, not names or is_complex)
        except Undefined:
            continue
        except TooLarge:  # as a^{n^2} is for a large n
            if point < NUM_POINTS:
                raise
            continue
        if verdict is False:
            return False
        agreed = agreed or verdict is True
    return True if agreed else None


def _has_index(node: Node) -> bool:
    """Whether a symbol that is usually a whole number stands where only that makes sense, or where
    others would hide a difference: (-1)^n, n!, \\lfloor n/2 \\rfloor."""
    first = _INDEXED.get(node.kind, len(node.parts))
    names = frozenset[str]().union(*map(symbols, node.parts[first:]))
    return any(map(is_index, names)) or any(map(_has_index, node.parts))


def _is_piecewise(node: Node) -> bool:
    """Whether small points may not tell for large ones: |x - 5| is 5 - x up to 5."""
    here = node.kind in ("abs", "root", "floor", "ceil") or (
        node.kind == "^" and (contains(node.parts[1], "frac") or contains(node.parts[1], "inverse"))
    )
    return here or any(map(_is_piecewise, node.parts))


def _same_at(
    gold: Node, answer: Node, evaluators: list[Evaluator], complex_counts: bool
) -> bool | None:
    """At one point, the coarser evaluator first; None where one side is not real while the
    symbols are."""
    differences: list[Any] = []
    scale: Any = 0
    for evaluator in evaluators:
        context = evaluator.context
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
        is_near = evaluator.point < NUM_POINTS  # further out, what cancels may leave only noise
        if (
            is_near
            and scale > context.mpf(_SMALL)
            and differences[0] > context.mpf(_DISTINCT) * scale
        ):
            return False
    coarse, fine = differences
    return bool(fine <= _NOISE * coarse or fine <= _CONTEXTS[1].mpf(10) ** _AGREE * scale)


def _imaginary(context: Any, value: Any) -> bool:
    return bool(abs(context.im(value)) > context.mpf(_SMALL) * abs(value))
