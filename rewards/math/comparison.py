"""Whether two answers are the same, structure by structure. Order matters in tuples and nowhere
else; brackets are never dropped; what is a relation on one side may be an interval on the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from configs.rewards import MathSettings
from rewards.math.evaluation import Undefined
from rewards.math.expression import Unreadable, parse
from rewards.math.nodes import Node
from rewards.math.numbers import decimal_comma
from rewards.math.regions import Region, as_region, same_region
from rewards.math.scalars import Symbolic, same_scalar
from rewards.math.structure import (
    Answer,
    Assignment,
    Interval,
    Items,
    Matrix,
    Ratio,
    Relation,
    Scalar,
    Union,
    read_answer,
)
from rewards.math.values import ratio_sign
from rewards.math.words import words

MAX_ITEMS = 100
"""Longer lists are compared as texts only: matching takes quadratic time."""


def same_answer(gold: str, answer: str, settings: MathSettings, symbolic: Symbolic) -> bool:
    """Both are normalised texts. Raises values.TooLarge, and what the symbolic stage raises."""
    return _Comparison(gold, answer, settings, symbolic).verdict()


class _Comparison:
    def __init__(self, gold: str, answer: str, settings: MathSettings, symbolic: Symbolic) -> None:
        self.texts = (gold, answer)
        self.settings = settings
        self.symbolic = symbolic

    def verdict(self) -> bool:
        gold, answer = self.texts
        if words(gold) is not None or words(answer) is not None:
            return self.scalars(gold, answer)
        # A gold answer of 3,14 is rather a list; 0,75 hardly is.
        gold_point = decimal_comma(gold) if re.match("[+-]?0,", gold) else None
        pointed = gold_point, decimal_comma(answer)
        one_comma = (pointed[0] is None) != (pointed[1] is None)
        if one_comma and self.scalars(pointed[0] or gold, pointed[1] or answer):
            return True
        return self.same(read_answer(gold), read_answer(answer))

    def scalars(self, gold: str, answer: str) -> bool:
        return same_scalar(gold, answer, self.settings, self.symbolic)

    def same(self, gold: Answer, answer: Answer) -> bool:
        if isinstance(gold, Assignment) and isinstance(answer, Assignment):
            if not _may_name_the_same(gold.name, answer.name):
                return self.relations(gold.equation, answer.equation)
            return self.same(gold.value, answer.value)
        if isinstance(answer, Assignment):
            if isinstance(gold, Relation) and gold.signs == ("=",):
                return self.relations(gold, answer.equation)
            return self.same(gold, answer.value)
        if isinstance(gold, Assignment):
            if isinstance(answer, Relation) and answer.signs == ("=",):
                return self.relations(gold.equation, answer)
            return self.same(gold.value, answer)
        regions = self.regions(gold, answer)
        if regions is not None:
            return same_region(*regions, self.scalars)
        return self.unlike(gold, answer)

    def regions(self, gold: Answer, answer: Answer) -> tuple[Region, Region] | None:
        """Both sides as sets of real numbers, when at least one is written as such."""
        if not (_is_region(gold) or _is_region(answer)):
            return None
        if isinstance(gold, Relation) and isinstance(answer, Relation):
            variables = _variables(gold), _variables(answer)
            if not variables[0] & variables[1] and variables[0] and variables[1]:
                return None
        left, right = as_region(gold), as_region(answer)
        # Two empty ones rather lack an "or": they are compared as they are written.
        return (left, right) if left is not None and right is not None and left + right else None

    def unlike(self, gold: Answer, answer: Answer) -> bool:
        """Everything but named values and regions."""
        match gold, answer:
            case Scalar(), Scalar():
                return self.scalars(gold.text, answer.text)
            case Items(), Items():
                return self.items(gold, answer)
            case Matrix(), Matrix():
                return self.matrices(gold, answer)
            case Ratio(), Ratio():
                return self.ratios(gold, answer)
            case Relation(), Relation():
                return self.relations(gold, answer)
            case (Items(items=(one,)), other):
                return gold.kind != "tuple" and self.same(one, other)
            case (other, Items(items=(one,))):
                return answer.kind != "tuple" and self.same(other, one)
            case (Relation(), Scalar()) | (Scalar(), Relation()):
                return False
            case _:
                pass
        if isinstance(gold, (Items, Ratio)) or isinstance(answer, (Items, Ratio)):
            return self.digits_as_list(gold, answer)
        return self.symbolic(*self.texts)

    def items(self, gold: Items, answer: Items) -> bool:
        if gold.kind == answer.kind == "closed":
            return self.in_order(gold.items, answer.items)
        kinds = {gold.kind, answer.kind}
        if "closed" in kinds:  # [1, 2] is an interval, and a list only beside one
            return kinds == {"closed", "list"} and self.in_order(gold.items, answer.items)
        if kinds == {"tuple", "set"}:
            return False
        if "tuple" in kinds or "group" in kinds:
            ordered = self.in_order(gold.items, answer.items)
            return ordered or (self.settings.any_order and self.unordered(gold, answer))
        return self.unordered(gold, answer)

    def in_order(self, gold: Sequence[Answer], answer: Sequence[Answer]) -> bool:
        return len(gold) == len(answer) and all(map(self.same, gold, answer))

    def unordered(self, gold: Items, answer: Items) -> bool:
        """Equal as sets: every item of each side is among those of the other."""
        if max(len(gold.items), len(answer.items)) > MAX_ITEMS:
            return gold == answer
        rest = list(answer.items)
        for item in gold.items:
            found = next((each for each in rest if self.same(item, each)), None)
            if found is not None:
                rest.remove(found)
            elif not any(self.same(item, each) for each in answer.items):
                return False
        return all(any(self.same(item, each) for item in gold.items) for each in rest)

    def matrices(self, gold: Matrix, answer: Matrix) -> bool:
        if [len(row) for row in gold.rows] != [len(row) for row in answer.rows]:
            return False
        pairs = zip(chain.from_iterable(gold.rows), chain.from_iterable(answer.rows), strict=True)
        return all(self.scalars(left, right) for left, right in pairs)

    def ratios(self, gold: Ratio, answer: Ratio) -> bool:
        """3:4 is 6:8; a time of day such as 12:00 is only itself."""
        if len(gold.parts) != len(answer.parts):
            return False
        if any(re.match(r"0\d", part) for part in gold.parts + answer.parts):
            return all(map(self.scalars, gold.parts, answer.parts))
        if all(map(self.scalars, gold.parts, answer.parts)):
            return True
        zeros = [self.scalars("0", part) for part in gold.parts]
        if all(zeros) or zeros != [self.scalars("0", part) for part in answer.parts]:
            return False  # 0:0 times anything is 0:0
        pivot = zeros.index(False)
        return all(
            self.scalars(
                f"({left}) \\cdot ({answer.parts[pivot]})",
                f"({right}) \\cdot ({gold.parts[pivot]})",
            )
            for left, right in zip(gold.parts, answer.parts, strict=True)
        )

    def relations(self, gold: Relation, answer: Relation) -> bool:
        for candidate in (answer, answer.flipped()):
            if candidate.signs == gold.signs and self.texts_agree(gold.sides, candidate.sides):
                return True
        if len(gold.sides) != 2 or len(answer.sides) != 2:
            return False
        sign = self.proportion(gold, answer)
        if sign is None:
            return self.symbolic(_spell(gold), _spell(answer))
        same_way = answer.signs == gold.signs
        turned = answer.flipped().signs == gold.signs
        return (sign > 0 and same_way) or (sign < 0 and turned)

    def texts_agree(self, gold: Sequence[str], answer: Sequence[str]) -> bool:
        return len(gold) == len(answer) and all(map(self.scalars, gold, answer))

    def proportion(self, gold: Relation, answer: Relation) -> int | None:
        """The sign of c when answer's left minus right is c times gold's; None when unreadable."""
        try:
            return ratio_sign(_difference(gold), _difference(answer))
        except (Unreadable, Undefined):
            return None

    def digits_as_list(self, gold: Answer, answer: Answer) -> bool:
        """ "1,200,300" may be meant as a list where the other side is one."""
        for items, other in ((gold, answer), (answer, gold)):
            if isinstance(items, Items) and isinstance(other, Scalar):
                pieces = other.text.split(",")
                if len(pieces) == len(items.items) > 1:
                    return self.in_order(items.items, [Scalar(piece) for piece in pieces])
        return False


def _difference(relation: Relation) -> Node:
    left, right = relation.sides
    return parse(f"({left}) - ({right})")


def _spell(relation: Relation) -> str:
    return f"{relation.sides[0]} {relation.signs[0]} {relation.sides[1]}"


def _is_region(answer: Answer) -> bool:
    if isinstance(answer, Items):
        return answer.kind == "all" or any(
            isinstance(item, (Interval, Union)) or _is_region(item) for item in answer.items
        )
    if isinstance(answer, Relation):
        return "=" not in answer.signs
    is_reals = isinstance(answer, Scalar) and answer.text.startswith("\\mathbb{R}")
    return isinstance(answer, (Interval, Union)) or is_reals


def _variables(relation: Relation) -> frozenset[str]:
    return frozenset(re.findall(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])", " ".join(relation.sides)))


def _may_name_the_same(gold: str, answer: str) -> bool:
    """x and y are different unknowns; f(x) and f(t), or a name in words, may be the same."""
    names = [re.sub(r"\\text|[{}\s]|\(.*\)$", "", name).casefold() for name in (gold, answer)]
    return names[0] == names[1] or not all(re.fullmatch(r"\\?[a-z]+(?:_.*)?", n) for n in names)
