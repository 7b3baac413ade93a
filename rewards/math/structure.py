"""What kind of thing an answer is: a number, an ordered tuple, a set, an interval, a matrix, a
relation. Brackets and commas are read here, so that (1,2) is never {1,2} and 3:4 never 3/4; what
stands between them stays text for the comparison of values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPENING, CLOSING = "([{", ")]}"
_RELATION = re.compile(r"\\(?:le|ge|ne|approx|equiv|in|notin)(?![A-Za-z])|[<>=]")
_FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}
_DIGIT_GROUPS = re.compile(r"(?<![\d,.(\[{])[0-9]{1,3}(?:,[0-9]{3})+(?![\d,])(?=[^()\[\]{}]*$)")
_CONNECTOR = re.compile(
    r"\s*,?\s*\\text\s*\{\s*(?:and|or|和|或)\s*\}\s*|(?<![A-Za-z\\])(?:and|or)(?![a-z])"
    r"|\\(?:lor|vee)(?![A-Za-z])|和|或"
)
_DISJUNCTION = re.compile(r"\bor\b|或|\\(?:lor|vee)(?![A-Za-z])")
_NAMES = re.compile(
    r"\\(?:frac|angle|triangle|overline|vec|mathbb|text|mathrm|operatorname|odot|widehat|alpha"
    r"|beta|gamma|delta|epsilon|theta|lambda|mu|phi|varphi|omega|rho|sigma|Delta|tau|xi|eta|psi"
    r"|ell|prime)(?![A-Za-z])"
)
_FRENCH = re.compile(r"([\[\]])([^\[\](){}]+)[,;]([^\[\](){}]+)([\[\]])")
_PLUS_MINUS = re.compile(r"\\(pm|mp)(?![A-Za-z])")
_PREFIX = re.compile(r"^\s*\\(?:text|mathrm)\s*\{[^{}]*?(?:is|are|be|:)\s*\}|^\\therefore")


@dataclass(frozen=True, slots=True)
class Scalar:
    """Anything without outer structure, as normalised text."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """Several answers. kind: "tuple" in parentheses, "set" in braces, "list" without brackets,
    "closed" in square brackets (a list, or an interval when there are two), "group" for one of
    several solutions written as "x=1, y=2; x=3, y=4"."""

    kind: str
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """From low to high; whether each end belongs to it."""

    low: str
    high: str
    has_low: bool
    has_high: bool


@dataclass(frozen=True, slots=True)
class Union:
    """Parts joined by \\cup."""

    parts: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of entries."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """3:4, or 12:00."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """sides[0] signs[0] sides[1] ...: "1 < x \\\\le 2" has three sides and two signs."""

    sides: tuple[str, ...]
    signs: tuple[str, ...]

    def flipped(self) -> Relation:
        return Relation(
            self.sides[::-1], tuple(_FLIPPED.get(sign, sign) for sign in self.signs[::-1])
        )


@dataclass(frozen=True, slots=True)
class Assignment:
    """x = answer: the name says nothing when the other side gives none."""

    name: str
    value: Answer
    equation: Relation
    """The same as an equation, from the first side to the last."""


Answer = Scalar | Items | Interval | Union | Matrix | Ratio | Relation | Assignment


def read_answer(text: str) -> Answer:
    """The structure of a normalised text."""
    text = _PREFIX.sub("", text).strip()
    groups = split(text, ";")
    if len(groups) > 1:
        answers = tuple(_read_list(group, "group") for group in groups)
        return Items("list", answers)
    return _read_list(text, "list")


def _read_list(text: str, kind: str) -> Answer:
    text = text.strip()
    french = _FRENCH.fullmatch(text)
    if french is not None and (french[1] == "]" or french[4] == "["):
        return Interval(french[2].strip(), french[3].strip(), french[1] == "[", french[4] == "]")
    text = _DIGIT_GROUPS.sub(lambda match: match.group().replace(",", ""), text)
    parts = [part.strip() for part in split(_CONNECTOR.sub(",", text), ",")]
    parts = [part for part in parts if part]
    if len(parts) < 2:
        return _read_one(parts[0] if len(parts) == 1 else text)
    signs = [relation_signs(part) for part in parts]
    if signs[0] == ("=",) and not any(signs[1:]):
        name, _, first = parts[0].partition("=")
        if is_name(name.strip()):
            rest = expand([_read_one(part) for part in (first, *parts[1:])])
            return _assign(name.strip(), Items("list", tuple(rest)), first)
    items = expand([_read_one(part) for part in parts])
    if all(isinstance(item, Relation) for item in items) and not _DISJUNCTION.search(text):
        kind = "all"
    return Items(kind, tuple(items))


def _assign(name: str, value: Answer, text: str) -> Assignment:
    return Assignment(name, value, Relation((name, text.strip()), ("=",)))


def expand(answers: list[Answer]) -> list[Answer]:
    """1 \\pm 2 among several answers is two answers."""
    return [
        each
        for answer in answers
        for each in (
            answer.items if isinstance(answer, Items) and answer.kind == "both" else (answer,)
        )
    ]


def _read_one(text: str) -> Answer:
    """An answer that is not a list without brackets."""
    text = text.strip()
    if _PLUS_MINUS.search(text) and not text.startswith("\\{"):
        upper = _PLUS_MINUS.sub(lambda sign: "+-"[sign[1] == "mp"], text)
        lower = _PLUS_MINUS.sub(lambda sign: "-+"[sign[1] == "mp"], text)
        return Items("both", (_read_one(upper), _read_one(lower)))
    signs = relation_signs(text)
    if signs:
        return _read_relation(text, signs)
    parts = split(text, "\\cup")
    if len(parts) > 1:
        return Union(tuple(_read_one(part) for part in parts))
    if (matrix := _read_matrix(text)) is not None:
        return matrix
    ratio = split(text, ":")
    if len(ratio) > 1 and all(part.strip() for part in ratio):
        return Ratio(tuple(part.strip() for part in ratio))
    return _read_brackets(text)


def _read_brackets(text: str) -> Answer:
    braces = re.fullmatch(r"\\\{(.*)\\\}", text)
    if braces is not None and _is_enclosed(text[1:-2] + "}"):
        return _read_set(braces[1])
    if not (text and text[0] in OPENING and text[-1] in CLOSING and _is_enclosed(text)):
        return Scalar(text)
    inner = text[1:-1].strip()
    items = split_items(inner)
    if len(items) == 1:
        # Square brackets and parentheses around one thing only group it.
        return _read_list(inner, "list") if text[0] != "[" or "," not in inner else Scalar(text)
    if text[0] == "{":
        return Items("list", tuple(expand([_read_one(item) for item in items])))
    if len(items) == 2 and text[0] + text[-1] in ("[)", "(]"):
        return Interval(items[0], items[1], text[0] == "[", text[-1] == "]")
    kind = "tuple" if text[0] == "(" else "closed"
    return Items(kind, tuple(_read_one(item) for item in items))


def _read_set(inner: str) -> Answer:
    described = re.match(r"\s*[a-zA-Z]\s*(?:\\in\s*\\mathbb\{R\}\s*)?(?:\||:|\\mid)(.*)", inner)
    if described is not None:
        return read_answer(described[1].strip())
    items = [item for item in split_items(inner) if item]
    return Items("set", tuple(expand([_read_one(item) for item in items])))


def _read_matrix(text: str) -> Matrix | None:
    match = re.fullmatch(r"\(?\s*\\begin\{pmatrix\}(.*)\\end\{pmatrix\}\s*\)?", text)
    if match is None or "\\begin" in match[1]:
        return None
    rows = [row for row in match[1].split("\\\\") if row.strip()]
    return Matrix(tuple(tuple(cell.strip() for cell in row.split("&")) for row in rows))


def _read_relation(text: str, signs: tuple[str, ...]) -> Answer:
    sides = [side.strip() for side in _split_relation(text)]
    if not sides[0] and signs[0] in ("=", "\\approx"):  # what it is equal to is in the problem
        return _read_one(text.partition(signs[0])[2])
    if "\\approx" in signs and len(signs) > 1:  # x = 1/3 \\approx 0.33: the value is 1/3
        cut = signs.index("\\approx")
        sides, signs = sides[: cut + 1], signs[:cut]
    names = is_name(sides[0])
    if signs == ("\\approx",):
        return _assign(sides[0], _read_one(sides[1]), sides[1]) if names else _read_one(sides[0])
    if signs == ("\\in",):  # a + b \in [0, 1] gives a range, 4 \in 5 nothing
        names = names or re.search(r"(?<![\\A-Za-z])[A-Za-z]", sides[0]) is not None
    if names and sides[-1] and (signs in (("\\in",), ("\\equiv",)) or set(signs) == {"="}):
        return _assign(sides[0], _read_one(sides[-1]), sides[-1])
    return Relation(tuple(sides), signs)


def is_name(text: str) -> bool:
    """Whether the left side of an equation only names what follows: x, f(x), AB, (x, y), a_3,
    \\frac{NO}{BO}, |AB|, A:B, "The area"; not 2x, x^2 or 4."""
    bare = _NAMES.sub(" x ", re.sub(r"_\s*(?:\{[^{}]*\}|[A-Za-z0-9])", "", text))
    if re.fullmatch(r"\s*[A-Za-z]'?\s*\([^()]*\)\s*", bare) is not None:
        return True
    return re.fullmatch(r"[A-Za-z|(),:;'{} \u4e00-\u9fff]+", bare) is not None


def relation_signs(text: str) -> tuple[str, ...]:
    """The relation signs outside all brackets, in order."""
    return tuple(match.group() for match in _outer_matches(text))


def _split_relation(text: str) -> list[str]:
    sides: list[str] = []
    start = 0
    for match in _outer_matches(text):
        sides.append(text[start : match.start()])
        start = match.end()
    return [*sides, text[start:]]


def _outer_matches(text: str) -> list[re.Match[str]]:
    levels = _levels(text)
    return [match for match in _RELATION.finditer(text) if levels[match.start()] == 0]


def split(text: str, separator: str) -> list[str]:
    """Split at a separator outside all brackets."""
    if separator not in text:
        return [text]
    levels = _levels(text)
    pieces: list[str] = []
    start = 0
    at = text.find(separator)
    while at != -1:
        end = at + len(separator)
        is_prefix = separator[-1].isalpha() and text[end : end + 1].isalpha()
        if levels[at] == 0 and not is_prefix:
            pieces.append(text[start:at])
            start = end
        at = text.find(separator, end)
    return [*pieces, text[start:]]


def split_items(inner: str) -> list[str]:
    """The items between brackets. Where items are set apart by ", " or ";", a comma between
    digits separates thousands."""
    separated = split(inner, ";")
    if len(separated) == 1:
        separated = split(_CONNECTOR.sub(",", inner), ",")
        spaced = re.search(r",\s", inner) is not None
        if spaced:
            merged = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "\0", inner)
            separated = [item.replace("\0", ",") for item in split(merged, ",")]
    return [item.strip() for item in separated]


def _is_enclosed(text: str) -> bool:
    """Whether the first bracket closes at the very end."""
    return all(level > 0 for level in _levels(text)[:-1]) if len(text) > 1 else False


def _levels(text: str) -> list[int]:
    """For each character, how many brackets are open around it; an opening one counts itself.

    Any closing bracket closes any opening one: [1,2) is an interval.
    """
    levels: list[int] = []
    depth = 0
    for character in text:
        if character in CLOSING:
            depth = max(0, depth - 1)
        if character in OPENING:
            depth += 1
        levels.append(depth)
    return levels
