"""Sets of real numbers: intervals, unions, inequalities, single points.

x < 2 or x >= 3 is (-oo, 2) \\cup [3, oo); x \\ne 1 is (-oo, 1) \\cup (1, oo).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from rewards.math.evaluation import TooLarge, Undefined
from rewards.math.expression import Unreadable, parse
from rewards.math.nodes import symbols
from rewards.math.structure import Answer, Interval, Items, Relation, Scalar, Union, split
from rewards.math.values import bounds

LOWEST, HIGHEST = "-\\infty", "\\infty"
MAX_INTERVALS = 100
"""Intersections of more are not worked out."""
Region = tuple[Interval, ...]
"""Intervals in order; a point is one from itself to itself."""


@dataclass(frozen=True, slots=True)
class _End:
    """The numeric place of an interval's end, for ordering."""

    infinite: int
    value: Fraction


def as_region(answer: Answer) -> Region | None:
    """The set of reals an answer describes, or None."""
    match answer:
        case Interval():
            return (answer,)
        case Union(parts=parts):
            return _joined([as_region(part) for part in parts])
        case Relation():
            return _solved(answer)
        case Items(kind="all", items=items):
            if len({name for item in items for name in _unknowns(item)}) > 1:
                return None
            return _intersected([as_region(item) for item in items])
        case Items(kind="tuple" | "closed" as kind, items=(Scalar(text=low), Scalar(text=high))):
            return (Interval(low, high, kind == "closed", kind == "closed"),)
        case Items(kind="set" | "list", items=items):
            return _joined([_point(item) for item in items])
        case Scalar(text=text):
            return _reals(text)
        case _:
            return None


def same_region(gold: Region, answer: Region, same: Callable[[str, str], bool]) -> bool:
    """Whether two regions have the same intervals once touching ones are merged."""
    gold, answer = _merged(gold), _merged(answer)
    return len(gold) == len(answer) and all(
        left.has_low == right.has_low
        and left.has_high == right.has_high
        and same(left.low, right.low)
        and same(left.high, right.high)
        for left, right in zip(gold, answer, strict=True)
    )


def _point(answer: Answer) -> Region | None:
    if isinstance(answer, Scalar):
        return (Interval(answer.text, answer.text, True, True),)
    return as_region(answer)


def _joined(parts: list[Region | None]) -> Region | None:
    pieces: list[Interval] = []
    for part in parts:
        if part is None:
            return None
        pieces.extend(part)
    return tuple(pieces)


def _reals(text: str) -> Region | None:
    """\\mathbb{R}, with or without some points: \\mathbb{R} \\setminus \\{1, 2\\}."""
    pieces = split(text, "\\setminus")
    if re.sub(r"\s", "", pieces[0]) not in ("\\mathbb{R}", "(-\\infty,\\infty)"):
        return None
    if len(pieces) == 1:
        return (Interval(LOWEST, HIGHEST, False, False),)
    points = re.fullmatch(r"\s*\\\{(.*)\\\}\s*", pieces[1])
    return None if points is None else _without(split(points[1], ","))


def _without(points: list[str]) -> Region | None:
    """The reals without some points."""
    places = [(_place(point), point.strip()) for point in points]
    if any(place is None for place, _ in places):
        return None
    ordered = [LOWEST, *(point for _, point in sorted(places, key=lambda p: _key(p[0]))), HIGHEST]
    return tuple(Interval(low, high, False, False) for low, high in pairwise(ordered))


def _solved(relation: Relation) -> Region | None:
    """The values of the one side that is no number: "1 < x \\\\le 2" is (1, 2]."""
    if set(relation.signs) & {">", "\\ge"}:
        relation = relation.flipped()
    if not set(relation.signs) <= {"<", "\\le", "\\ne"}:
        return None
    inner = [re.fullmatch(r"\s*\|([^|]+)\|\s*", side) for side in relation.sides]
    if any(inner) and "\\ne" not in relation.signs:
        sides = (m[1] if m else side for m, side in zip(inner, relation.sides, strict=True))
        return _mirrored(_solved(replace(relation, sides=tuple(sides))))
    numeric = [_place(side) is not None for side in relation.sides]
    match numeric, relation.sides, relation.signs:
        case (([False, True] | [True, False]), (left, right), ("\\ne",)):
            return _without([right if numeric[1] else left])
        case [False, True], (_, high), (sign,) if _is_unknown(relation.sides[0]):
            return (Interval(LOWEST, high, False, sign == "\\le"),)
        case [True, False], (low, _), (sign,) if _is_unknown(relation.sides[1]):
            return (Interval(low, HIGHEST, sign == "\\le", False),)
        case [True, False, True], (low, unknown, high), (first, last) if _is_unknown(unknown):
            return (Interval(low, high, first == "\\le", last == "\\le"),)
        case _:
            return None


def _mirrored(region: Region | None) -> Region | None:
    """The values of x when those of |x| are an interval."""
    if region is None or len(region) != 1:
        return None
    (right,) = region
    low = _key(_place(right.low))
    if low < (0, Fraction(0)):
        return (replace(right, low=_negative(right.high), has_low=right.has_high),)
    left = Interval(_negative(right.high), _negative(right.low), right.has_high, right.has_low)
    return (left, right)


def _negative(text: str) -> str:
    return LOWEST if text.strip() in (HIGHEST, "+\\infty") else f"-({text})"


def _is_unknown(text: str) -> bool:
    """x, x_1, \\theta, f(x): what an inequality can be solved for already."""
    name = r"(?:[A-Za-z]|\\[a-z]+)\s*(?:_\s*(?:\{[^{}]*\}|\w))?"
    return re.fullmatch(rf"{name}'?\s*(?:\([^()]*\))?", text.strip()) is not None


def _unknowns(answer: Answer) -> list[str]:
    """The sides of an inequality that are no numbers; |x| is about x."""
    sides = answer.sides if isinstance(answer, Relation) else ()
    return [re.sub(r"[|\s]", "", side) for side in sides if _place(side) is None]


def _intersected(parts: list[Region | None]) -> Region | None:
    common: Region = (Interval(LOWEST, HIGHEST, False, False),)
    for part in parts:
        if part is None or any(_place(end) is None for i in part for end in (i.low, i.high)):
            return None
        shared = (_overlap(left, right) for left in common for right in part)
        common = tuple(each for each in shared if each is not None)
        if len(common) > MAX_INTERVALS:
            return None
    return common


def _overlap(left: Interval, right: Interval) -> Interval | None:
    """What two intervals with numeric ends have in common."""
    first = max((left, right), key=lambda each: (_key(_place(each.low)), not each.has_low))
    last = min((left, right), key=lambda each: (_key(_place(each.high)), each.has_high))
    low, high = _key(_place(first.low)), _key(_place(last.high))
    if low > high or (low == high and not (first.has_low and last.has_high)):
        return None
    return Interval(first.low, last.high, first.has_low, last.has_high)


def _merged(region: Region) -> Region:
    """In ascending order, touching intervals joined; unchanged when an end is no number."""
    placed: list[tuple[tuple[int, Fraction], tuple[int, Fraction], Interval]] = []
    for each in region:
        low, high = _place(each.low), _place(each.high)
        if low is None or high is None:
            return region
        placed.append((_key(low), _key(high), each))
    merged: list[tuple[tuple[int, Fraction], Interval]] = []
    for low, high, each in sorted(placed, key=lambda p: (p[0], not p[2].has_low)):
        if merged and (
            low < merged[-1][0]
            or (low == merged[-1][0] and (each.has_low or merged[-1][1].has_high))
        ):
            last_high, last = merged[-1]
            if (high, each.has_high) > (last_high, last.has_high):
                merged[-1] = (high, replace(last, high=each.high, has_high=each.has_high))
            continue
        merged.append((high, each))
    return tuple(each for _, each in merged)


def _place(text: str) -> _End | None:
    """Where a constant lies on the real line; None for what is no constant."""
    compact = re.sub(r"[\s{}()]|\\left|\\right", "", text)
    if compact in ("-\\infty", "\\infty", "+\\infty"):
        return _End(-1 if compact[0] == "-" else 1, Fraction(0))
    try:
        node = parse(text)
        limits = None if symbols(node) else bounds(node)
    except (Unreadable, Undefined, TooLarge):
        return None
    return None if limits is None else _End(0, limits[0])


def _key(end: _End | None) -> tuple[int, Fraction]:
    assert end is not None
    return end.infinite, end.value
