"""The language-consistency reward: the share of the target language's words in the reasoning.

R1: Reward_language = Num(Words_target) / Num(Words) (arXiv 2501.12948v2, eq. 7), over the chain of
thought. Scripts decide by themselves wherever they can; languages that share the Latin script are
told apart sentence by sentence. The target comes from the data set, never from the completion.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rewards.identifier import LATIN_LANGUAGES, identify
from rewards.words import LATIN, RUNS, Script, WordCount, count_words

SCRIPTS_OF: dict[str, tuple[Script, ...]] = {
    "zh": ("han",),
    "ja": ("kana", "han"),
    "ko": ("hangul",),
    "ru": ("cyrillic",),
    "ar": ("arabic",),
    "el": ("greek",),
    "he": ("hebrew",),
    "hi": ("devanagari",),
    **dict.fromkeys(sorted(LATIN_LANGUAGES), ("latin",)),
}
"""The possible targets. Han belongs to Japanese in sentences with kana, to Chinese elsewhere."""

MIN_WORDS = 10
"""Less than this is no evidence: no reward instead of a perfect one for not thinking at all."""
MIN_SENTENCE_WORDS = 4
"""Shorter sentences are taken together with the next one."""
MAX_PART_CHARACTERS = 100
"""Are enough to know a language. A longer sentence is looked at in parts of about equal size: what
it begins with says nothing about its end."""
MIN_PROBABILITY = 0.4
"""Of a language, for a sentence to be surely in it. In GSM8K's solutions 0.17 % of the sentences
are then taken for another language than English, and 0.8 % for none."""
MAX_SENTENCES = 400
"""Of more sentences, a random sample of this size is looked at, some 30 microseconds a part."""
KANA_SHARE = 0.05
"""Of Han and kana together, from where on a sentence is Japanese."""

WORD = re.compile(f"[{LATIN}]{{2,}}+")
_STOPS = ".!?;:。！？；：\n"
SENTENCE = re.compile(rf"[\s\S]{{1,12}}+[^{_STOPS}]{{0,288}}+[{_STOPS}]*+")
"""Up to a stop, from 12 to 300 characters: no text falls into millions of sentences, and none is
a single one."""


@dataclass(frozen=True, slots=True)
class LanguageShare:
    """What the reward is and how it came about.

    LanguageShare(share=0.75, words=40.0, target_words=30.0, stripped_share=0.2)
    """

    share: float | None
    """target_words / words, from 0 to 1, less when too much was stripped; None when there are
    fewer words than asked for."""
    words: float
    """Words of any language outside formulas and code, and natural language inside them."""
    target_words: float
    """Those of the target language."""
    stripped_share: float
    """The part of the text, by words, that was left out as formulas, code and symbols."""


def language_share(
    text: str, target: str, max_stripped_share: float, min_words: int = MIN_WORDS
) -> LanguageShare:
    """The share of the target language in a text of reasoning, formulas and code.

    language_share("我们 need 先求出 the value of 这个三角形的面积 first", "zh", 0.8).share == 0.619
    Where more than max_stripped_share is left out, the share falls in proportion, to 0 at a text
    of nothing but code. Raises KeyError for a target that SCRIPTS_OF does not have.
    """
    scripts = SCRIPTS_OF[target]
    counted = count_words(text, latin_letters=scripts == ("latin",))
    words = sum(counted.words.values())
    target_words = sum(counted.words.get(script, 0.0) for script in scripts)
    if scripts == ("latin",):
        target_words *= _latin_part(counted.readable, target)
    elif target in ("zh", "ja"):
        target_words -= _han_of_the_other(counted, target)
    everything = words + counted.hidden
    stripped_share = counted.hidden / everything if everything else 0.0
    excess = max(0.0, stripped_share - max_stripped_share)
    if everything < min_words or (words < min_words and not excess):
        share = None
    else:
        share = target_words / words if words else 0.0
        share *= 1.0 - excess / (1.0 - max_stripped_share) if excess else 1.0
    return LanguageShare(share, words, target_words, stripped_share)


def _latin_part(text: str, target: str) -> float:
    """The part of the words in Latin letters that stands in sentences of the target language."""
    in_target = total = 0.0
    words: list[str] = []
    for sentence in _sentences(text):
        words += WORD.findall(sentence)
        if len(words) >= MIN_SENTENCE_WORDS:
            in_target += sum(len(part) * _target_value(part, target) for part in _parts(words))
            total += len(words)
            words = []
    return in_target / total if total else 1.0


def _parts(words: Sequence[str]) -> list[Sequence[str]]:
    count = -(-len(" ".join(words)) // MAX_PART_CHARACTERS)
    size = -(-len(words) // count)
    return [words[start : start + size] for start in range(0, len(words), size)]


def _target_value(words: Sequence[str], target: str) -> float:
    """1.0 or 0.0 where the language is clear, less than 1.0 where it is not: words that resemble
    no language, such as Chinese in Latin letters, must not count in full."""
    probabilities = identify(" ".join(words))
    value = probabilities.get(target, 0.0)
    if value < max(probabilities.values(), default=0.0) >= MIN_PROBABILITY:
        return 0.0
    return min(value / MIN_PROBABILITY, 1.0)


def _han_of_the_other(counted: WordCount, target: str) -> float:
    """The words in Han characters that belong to Japanese when the target is Chinese, and the
    other way round."""
    if "kana" not in counted.words or "han" not in counted.words:
        return 0.0 if target == "zh" or "kana" in counted.words else counted.words.get("han", 0.0)
    japanese = total = 0
    for sentence in _sentences(counted.readable):
        han = sum(map(len, RUNS["han"].findall(sentence)))
        kana = sum(map(len, RUNS["kana"].findall(sentence)))
        total += han
        japanese += han if kana > KANA_SHARE * (han + kana) else 0
    other = japanese if target == "zh" else total - japanese
    return counted.words["han"] * other / total if total else 0.0


def _sentences(text: str) -> list[str]:
    """The sentences in order, or a sample of them: the same one for the same text."""
    sentences: list[str] = SENTENCE.findall(text)
    if len(sentences) <= MAX_SENTENCES:
        return sentences
    chosen = sorted(random.Random(len(text)).sample(range(len(sentences)), MAX_SENTENCES))
    return [sentences[index] for index in chosen]
