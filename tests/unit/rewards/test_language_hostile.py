"""The language share against texts that hide their language, and texts made to take long."""

from __future__ import annotations

import re
import time

import pytest

from rewards.language import LanguageShare, language_share
from tests.unit.rewards.reasoning_texts import CHINESE, ENGLISH, NEUTRAL, join_words
from tests.unit.rewards.test_language import CAP, document, share

CHINESE_TEXT = "".join(map(join_words, CHINESE))
ENGLISH_TEXT = " ".join(ENGLISH)


@pytest.mark.parametrize(
    "hidden",
    [
        "```\n{}\n```",
        "```python\n# {}",
        "`{}`",
        "$\\text{{{}}}$",
        "$$\\mbox{{{}}}$$",
        "\\[\\textrm{{{}}}\\]",
        "\\(\\text{{{}}}\\)",
        "\\boxed{{{}}}",
        "\\begin{{comment}}{}\\end{{comment}}",
        "<p>{}</p>",
    ],
)
def test_moving_text_into_formulas_or_code_hides_nothing(hidden: str) -> None:
    """The share is about the same as in the open. The negative control: as it stands, the visible
    half alone has share 1."""
    flat_chinese, flat_english = CHINESE_TEXT.replace("\n", ""), ENGLISH_TEXT.replace("\n", " ")
    for visible, secret, target in (
        (ENGLISH_TEXT, flat_chinese, "en"),
        (CHINESE_TEXT, flat_english, "zh"),
    ):
        assert share(visible, target) == 1.0
        in_the_open = share(visible + "\n" + secret, target)
        pieces = [hidden.format(each) for each in re.findall(r"[^.。]+[.。]?", secret)]
        measured = share(visible + "\n" + "\n".join(pieces), target)
        assert measured == pytest.approx(in_the_open, abs=0.1)
        assert measured is not None and measured < 0.65


def test_a_sentence_is_looked_at_to_its_end() -> None:
    """Without a full stop, behind as many English characters as are enough to know a language."""
    english = (
        "so we now take all of the apples that are left and give them to the children in that room"
    )
    german = (
        "danach nehmen wir die restlichen Birnen aus dem grossen Korb und verteilen sie an die "
        "Kinder der anderen Klasse"
    )
    for text in (f"{english} {german}", f"{english} {german}\n" * 20):
        assert share(text, "en") == pytest.approx(0.5, abs=0.2)
        assert share(text, "de") == pytest.approx(0.5, abs=0.2)
    assert share(f"{english} {english}", "en") == 1.0
    assert share(f"{german} {german}", "en") == 0.0


@pytest.mark.parametrize(
    "span",
    [
        "we take the first one",
        "We take it, then add.",
        " so, wait ",
        "don't",
        "well then:  stop!",
        "我们 take the sum，然后 add",
    ],
)
def test_words_in_inline_code_are_words(span: str) -> None:
    visible = "首先让我再读一遍题目。我们需要求出篮子里的苹果。"
    in_the_open = language_share(visible + f"{span}。" * 20, "zh", CAP)
    quoted = language_share(visible + f"`{span}`。" * 20, "zh", CAP)
    assert quoted == in_the_open
    assert quoted.share is not None and quoted.share < 0.5


@pytest.mark.parametrize(
    "code", ["x", "x_1", "print(the, first)", "a = b", "items.append", "take 3", "git-log", ""]
)
def test_inline_code_with_symbols_is_no_language(code: str) -> None:
    found = language_share(f"{CHINESE_TEXT} `{code}`", "zh", CAP)
    assert (found.share, found.words) == (1.0, language_share(CHINESE_TEXT, "zh", CAP).words)


def test_what_is_still_hidden_is_capped() -> None:
    """Identifiers are no words, so that code can be left out; a text of nothing else earns
    nothing, and there is no step on the way there."""
    visible = document(CHINESE, seed=1)
    assert share(visible, "zh") == 1.0
    rewards = []
    for amount in range(0, 4000, 100):
        result = language_share(visible + "the_answer_is_seven " * amount, "zh", CAP)
        assert result.share is not None
        expected = 1.0 if result.stripped_share <= CAP else (1 - result.stripped_share) / (1 - CAP)
        assert result.share == pytest.approx(expected)
        rewards.append(result.share)
    assert rewards == sorted(rewards, reverse=True)
    assert rewards[0] == 1.0 and rewards[-1] < 0.4
    only_code = language_share("the_answer_is_seven " * 100, "zh", CAP)
    assert only_code == LanguageShare(share=0.0, words=0, target_words=0, stripped_share=1.0)


def test_formulas_alone_do_not_reach_the_cap() -> None:
    for sentences in (ENGLISH, CHINESE):
        target = "en" if sentences is ENGLISH else "zh"
        heavy = " ".join(
            join_words(sentence) + NEUTRAL[i % 4] + NEUTRAL[(i + 1) % 4]
            for i, sentence in enumerate(sentences)
        )
        result = language_share(heavy, target, CAP)
        assert 0.2 < result.stripped_share < 0.7
        assert result.share == 1.0


def test_prices_are_not_formulas() -> None:
    text = "A pen costs $5 and 一本书 costs $6, so together they cost $11 for every pupil here."
    assert language_share(text, "en", CAP).words == pytest.approx(13 + 3 / 1.6)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ｗｅ　ｎｅｅｄ　ｔｏ　ｆｉｎｄ　ｔｈｅ　ｖａｌｕｅ　ｏｆ　ｔｈｅ　ｓｕｍ　ｎｏｗ", "zh"),
        ("𝐰𝐞 𝐧𝐞𝐞𝐝 𝐭𝐨 𝐟𝐢𝐧𝐝 𝐭𝐡𝐞 𝐯𝐚𝐥𝐮𝐞 𝐨𝐟 𝐭𝐡𝐞 𝐬𝐮𝐦 𝐧𝐨𝐰 𝐚𝐭 𝐥𝐚𝐬𝐭", "zh"),
        ("სად არის სკოლა და როდის იწყება პირველი გაკვეთილი დღეს დილით აქ", "en"),
        ("ﾜﾀｼ ﾊ ｺﾄｼ ﾀﾞｲｶﾞｸ ｦ ｿﾂｷﾞｮｳ ｼﾏｼﾀ ｿﾚｶﾗ ﾋｯｺｼﾏｼﾀ ﾄﾃﾓ ﾀﾉｼｲ", "en"),
        ("एक दो तीन चार पाँच छह सात आठ नौ दस ग्यारह", "en"),
    ],
    ids=["full-width", "mathematical", "georgian", "half-width", "devanagari"],
)
def test_rare_letters_are_no_hiding_place(text: str, target: str) -> None:
    assert share(text, target) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "Tunahitaji kujua ni matofaa mangapi yamebaki kwenye kikapu leo asubuhi.",
        "Women xuyao qiuchu lanzi li hai shengxia duoshao pingguo, ranhou chu yi er.",
        "Hem de saber quantes pomes queden a la cistella i quantes en falten.",
        "Le train\npart de\nla gare\nà huit\nheures et\nil roule\npendant trois\nheures.",
    ],
    ids=["Swahili", "pinyin", "Catalan", "French in two-word lines"],
)
def test_languages_that_nobody_asks_for_are_not_english(text: str) -> None:
    measured = share(ENGLISH_TEXT[:200] + "\n" + text * 10, "en")
    assert measured is not None and measured < 0.6


HOSTILE = {
    "dollars": "$",
    "backslashes": "\\",
    "display openings": "\\[",
    "inline openings": "\\(",
    "braces": "{",
    "boxes": "\\boxed{",
    "filled boxes": "\\boxed{{}a",
    "ticks": "`",
    "words in ticks": "`we take the first one, or `",
    "stops in ticks": "`we,,,,",
    "fences": "```",
    "fences with words": "``` a\n",
    "tildes": "~",
    "tags": "<think>",
    "angles": "<a",
    "bars": "<|",
    "begin": "\\begin{",
    "addresses": "https://",
    "spaced dollars": "$a b",
    "words": "word ",
    "letters": "a ",
    "sentences": "a. ",
    "stops": ".",
    "hyphens": "a-",
    "apostrophes": "a'",
    "commas": "a,",
    "Han": "我",
    "kana": "我か。",
    "marks": "a\u0300\u0316",
    "ligatures": "\ufdfa",
    "prose and dollars": "the cat sat on, the $ ",
    "white space": " ",
    "lines": "\n",
    "nothing known": "\ue000",
    "surrogates": "\ud800",
    "nulls": "\0",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=list(HOSTILE))
def test_time_is_linear_on_a_megabyte(unit: str) -> None:
    """Quadratic time would be minutes; the limit leaves room for a busy machine."""
    text = unit * (1_000_000 // len(unit))
    language_share("", "en", CAP)
    for hostile, target in (
        (text, "en"),
        ("x $ \\[ ``` " + text, "ja"),
        (text[:-5] + "`$\\]}", "zh"),
    ):
        start = time.process_time()
        language_share(hostile, target, CAP)
        assert time.process_time() - start < 0.5
