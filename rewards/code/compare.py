"""Comparing what a program printed with what it should have printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MAX_NUMBER_CHARACTERS = 400
"""Longer tokens are compared as text only."""

# float() reads more than numbers as programs print them: "nan", "1_000", full-width digits.
_INTEGER = re.compile(rb"[+-]?[0-9]+")
_DECIMAL = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class OutputComparison:
    """How two outputs are compared.

    OutputComparison("float", 1e-6).same(b"0.3333333 2", b"0.33333334 2") is True
    """

    kind: Literal["tokens", "exact", "float"] = "tokens"
    """tokens: equal words, whatever the white space between them (testlib's wcmp); exact: equal
    bytes, apart from one line break at the end; float: words, decimal numbers within tolerance."""
    tolerance: float = 0.0
    """Of float: |got - expected| <= tolerance * max(1, |expected|). Two integers must be equal."""

    def same(self, expected: bytes, got: bytes) -> bool:
        """Whether `got` is as good as `expected`. Linear in both."""
        if self.kind == "exact":
            return _without_last_break(expected) == _without_last_break(got)
        expected_words, got_words = expected.split(), got.split()
        if self.kind == "tokens" or expected_words == got_words:
            return expected_words == got_words
        return len(expected_words) == len(got_words) and all(
            self._same_word(word, other)
            for word, other in zip(expected_words, got_words, strict=True)
        )

    def _same_word(self, expected: bytes, got: bytes) -> bool:
        if expected == got:
            return True
        if max(len(expected), len(got)) > MAX_NUMBER_CHARACTERS:
            return False
        if _INTEGER.fullmatch(expected) and _INTEGER.fullmatch(got):
            return int(expected) == int(got)
        if not (_DECIMAL.fullmatch(expected) and _DECIMAL.fullmatch(got)):
            return False
        wanted, value = float(expected), float(got)
        # An overflow to infinity on both sides makes the difference nan, which is never small.
        return abs(value - wanted) <= self.tolerance * max(1.0, abs(wanted)) < float("inf")


def _without_last_break(output: bytes) -> bytes:
    return output.removesuffix(b"\n").removesuffix(b"\r")


def describe_difference(expected: bytes, got: bytes) -> str:
    """The first word that differs, for reading.

    describe_difference(b"1 2", b"1 3") == "word 2: expected '2', got '3'"
    """
    expected_words, got_words = expected.split(), got.split()
    pairs = zip(expected_words, got_words, strict=False)
    for i, (word, other) in enumerate(pairs, start=1):
        if word != other:
            return f"word {i}: expected {_shown(word)}, got {_shown(other)}"
    if len(expected_words) != len(got_words):
        return f"expected {len(expected_words)} words, got {len(got_words)}"
    return "white space differs"


def _shown(word: bytes) -> str:
    text = word[:40].decode(errors="replace")
    return repr(text + "..." if len(word) > 40 else text)
