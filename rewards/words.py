"""How many words of each script a text of prose, formulas and code holds.

Every expression here is possessive or of fixed length and starts at a place where the one before
it stopped, so that no text takes more than linear time. Texts are not brought to NFKC first: that
takes quadratic time on runs of combining marks. The classes below name the full-width letters
instead; the letters made for mathematics count as no language.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Script = Literal[
    "latin", "han", "kana", "hangul", "cyrillic", "arabic", "greek", "hebrew", "devanagari", "other"
]

MAX_CHARACTERS = 2**17
"""Of a longer text, the first and the last half of this are read: 32,768 English tokens fit in,
and twice as many Chinese ones."""
HAN_PER_WORD = 1.6
"""Han characters per word. In the problems of MGSM, which are parallel, there are 1.505 of them per
English word and 1.659 per word of a Chinese dictionary; this is in the middle."""
LETTERS_PER_WORD = 5
"""For letters of formulas and code, to be weighed against words."""

LATIN = (
    "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0300-\u036f\u1e00-\u1eff"
    "\uff21-\uff3a\uff41-\uff5a"
)
RANGES: dict[Script, str] = {
    "han": "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",
    "kana": "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "hangul": "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3\uffa1-\uffdc",
    "cyrillic": "\u0400-\u052f",
    "arabic": "\u0620-\u065f\u066e-\u06d3\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "hebrew": "\u05b0-\u05ea\ufb1d-\ufb4f",
    "devanagari": "\u0900-\u0963\u0971-\u097f",
}
CLASSES: dict[Script, str] = {
    **{script: f"[{ranges}]" for script, ranges in RANGES.items()},
    "other": rf"[^\W\d_{LATIN}{''.join(RANGES.values())}]",
}
LETTER: dict[Script, re.Pattern[str]] = {
    script: re.compile(letter) for script, letter in CLASSES.items()
}
# One Greek letter, or one of a script that is not named here, is a symbol.
RUNS: dict[Script, re.Pattern[str]] = {
    script: re.compile(letter + ("{2,}+" if script in ("greek", "other") else "++"))
    for script, letter in CLASSES.items()
}

LATIN_RUN = re.compile(f"[{LATIN}]+")
TOKEN = re.compile(rf"[{LATIN}\d_]++(?:['’-][{LATIN}\d_]++)*+")
IDENTIFIER = re.compile(r"[\d_]")
TWO_LETTERS = re.compile(f"[{LATIN}]{{2}}")
ONE_LETTER_WORDS = frozenset(("a", "A", "I"))
_SYMBOLS = """\
sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh exp log ln lg lim max min sup inf mod
gcd lcm det dim ker deg arg cm mm km nm kg mg ml kj hz khz mhz ghz kb mb gb pa mol"""
SYMBOLS = frozenset(_SYMBOLS.split())
"""Names of functions and units, the same in every language."""

TAKEN_OUT = re.compile(
    "("
    r"```(?:[^`]++|`(?!``))*+(?:```)?+"  # fenced code; one that is never closed, to the end
    r"|~~~(?:[^~]++|~(?!~~))*+(?:~~~)?+"
    r"|`[^`\n]*+`"
    r"|\$\$[^$]*+\$\$"
    r"|\$(?=\S)[^$\n]{1,300}+(?<=\S)\$(?!\d)"  # not "$5 and $6"
    # A body ends at the next opening, so that each opening is looked at once.
    r"|\\\[(?:[^\\]++|\\[^\[\]])*+\\\]"
    r"|\\\((?:[^\\]++|\\[^()])*+\\\)"
    r"|\\boxed\{(?:[^{}]++|\{(?:[^{}]++|\{[^{}]*+\})*+\})*+\}"
    r"|\\(?:begin|end|label|ref|eqref|operatorname|mathrm)\{[^{}\n]{0,40}+\}"
    r"|\\[A-Za-z]++\*?"
    r"|https?://[!-~]++|www\.[!-~]++"
    r"|</?[A-Za-z][A-Za-z0-9-]{0,30}+ ?/?>|<[|｜][^<>\n]{0,40}+>"
    ")"
)
QUOTED_WORDS = re.compile(r"`(?:[^\W\d_]|['’ ，。；：！？、]|[,.;:!?](?![^\W\d_]))*+`")
"""Inline code that might stand in the text as it is: backticks alone make no code of words."""
_PLAIN = f"[{LATIN}]++(?:['’][{LATIN}]++)?+"
PLAIN_WORDS = re.compile(rf"{_PLAIN}(?:[ ,]++{_PLAIN})*+")
NOT_LATIN = re.compile(rf"[^\W\d_{LATIN}]++")
MIN_PLAIN_WORDS = 6


@dataclass(frozen=True, slots=True)
class WordCount:
    """The words of a text.

    count_words("我们 use the formula $x_1 = \\frac{1}{2}$", latin_letters=False) ==
    WordCount(readable="我们 use the formula  \\n", words={"latin": 3, "han": 1.25}, hidden=1.0)
    """

    readable: str
    """What the words were counted in: the text without formulas, code, addresses and tags, then
    the natural language found inside those."""
    words: Mapping[Script, float]
    """Words by script; scripts that do not occur are left out. A run of letters is a word; Han is
    counted by the character, HAN_PER_WORD each."""
    hidden: float
    """Latin letters that no counted word holds, in words of LETTERS_PER_WORD letters."""


def count_words(text: str, latin_letters: bool) -> WordCount:
    """Words by script. Numbers, single letters, identifiers, and the names of functions and units
    belong to no language; with latin_letters, "a", "A" and "I" are words."""
    if len(text) > MAX_CHARACTERS:
        half = MAX_CHARACTERS // 2
        text = text[:half] + "\n" + text[-half:]
    prose: list[str] = []
    taken_out: list[str] = []
    for index, part in enumerate(TAKEN_OUT.split(text)):
        (prose if index % 2 == 0 or QUOTED_WORDS.fullmatch(part) else taken_out).append(part)
    readable = " ".join(prose) + "\n" + _language_inside("\n".join(taken_out))
    words, letters = _latin_words(readable, latin_letters)
    counts: dict[Script, float] = {"latin": words}
    letters_used = "".join(set(readable))
    for script, letter in LETTER.items():
        if letter.search(letters_used):
            found = RUNS[script].findall(readable)
            counts[script] = sum(map(len, found)) / HAN_PER_WORD if script == "han" else len(found)
    hidden = sum(map(len, LATIN_RUN.findall(text))) - letters
    return WordCount(
        readable=readable,
        words={script: count for script, count in counts.items() if count},
        hidden=hidden / LETTERS_PER_WORD,
    )


def _language_inside(taken_out: str) -> str:
    """The natural language in formulas and code, a line each: MIN_PLAIN_WORDS words in a row, and
    all letters that are not Latin. Neither $\\text{}$ nor a code fence hides them."""
    runs = [
        run
        for run in PLAIN_WORDS.findall(taken_out)
        if len(run) >= 2 * MIN_PLAIN_WORDS - 1 and len(run.split()) >= MIN_PLAIN_WORDS
    ]
    return "\n".join(runs + NOT_LATIN.findall(taken_out))


def is_word(token: str, latin_letters: bool) -> bool:
    """Whether a Latin token is a word of some language."""
    if token.isalpha() and len(token) > 1:
        return token.lower() not in SYMBOLS
    if not TWO_LETTERS.search(token.replace("'", "").replace("’", "")):
        return latin_letters and token in ONE_LETTER_WORDS
    return not IDENTIFIER.search(token) and token.lower() not in SYMBOLS


def _latin_words(text: str, latin_letters: bool) -> tuple[int, int]:
    """The number of words in Latin letters, and of the letters in them."""
    words = letters = 0
    for token, count in Counter(TOKEN.findall(text)).items():
        if is_word(token, latin_letters):
            words += count
            letters += count * (len(token) - token.count("'") - token.count("’") - token.count("-"))
    return words, letters
