"""What never reaches sympy: expressions whose value would fill the memory or take for ever."""

from __future__ import annotations

import re

from rewards.math.expression import MAX_DEPTH
from rewards.math.values import MAX_EXPONENT, TooLarge

MAX_CHARACTERS = 1000
"""Longest answer that is compared."""
_BIG = rf"[0-9]{{{len(str(MAX_EXPONENT))},}}"
_BOMBS = {
    "an exponent": re.compile(rf"\^\s*[{{(]*\s*-?\s*{_BIG}"),
    "a power tower": re.compile(r"[0-9][\s)}]*\^\s*[{(\s]*[0-9.]+[\s)}]*(?:\^|!)"),
    "a factorial": re.compile(rf"{_BIG}[\s)}}]*!|![\s)}}]*!"),
    "a binomial coefficient": re.compile(rf"\\binom\s*\{{\s*{_BIG}"),
    "a limit of summation": re.compile(rf"\\(?:sum|prod).*?\^\s*\{{?\s*(?:{_BIG}|[0-9]+\s*[\^!])"),
}


def refuse_bombs(*texts: str) -> None:
    """Raises TooLarge for a power tower, an exponent or factorial above MAX_EXPONENT, or nesting
    deeper than MAX_DEPTH."""
    for text in texts:
        for what, pattern in _BOMBS.items():
            if pattern.search(text):
                raise TooLarge(f"{what} beyond the limit")
        depth = deepest = 0
        for character in text:
            depth += (character in "({[") - (character in ")}]")
            deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            raise TooLarge("brackets nested too deeply")


def balanced(text: str) -> bool:
    """Whether every brace is closed; \\{ and \\} count as well, since they come in pairs too."""
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0
