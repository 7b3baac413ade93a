"""The repetition penalty: how much of a text it has said before, in n-grams."""

from __future__ import annotations

import re

# Scripts without spaces count by the character, everything else by the word; long "words" are
# cut, so that a repeated syllable ("hahaha...") is a repetition too. Punctuation counts: the text
# "1+1+1+1" says something else than "1 1 1 1".
UNSEGMENTED = (
    "\u0e00-\u0e7f\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
TOKEN = re.compile(rf"[{UNSEGMENTED}]|[^\W{UNSEGMENTED}]{{1,16}}+|[^\w\s]")


def repetition_penalty(text: str, ngram: int) -> float:
    """-(1 - distinct n-grams / n-grams), from 0 (nothing repeated) towards -1.

    The n-gram repetition penalty of arXiv 2502.03373 (appendix C.2), summed over the text and
    divided by its number of n-grams: each n-gram that has occurred before costs the same. 0 for
    texts shorter than one n-gram. Time and memory are linear in the length of the text.

    repetition_penalty("a b a b a", ngram=2) == -0.5    # ab, ba, ab, ba: 2 of 4 are new
    """
    assert ngram >= 1, ngram
    tokens = TOKEN.findall(text.lower())
    count = len(tokens) - ngram + 1
    if count <= 0:
        return 0.0
    distinct = len(set(zip(*(tokens[start:] for start in range(ngram)), strict=False)))
    return -(1.0 - distinct / count)
