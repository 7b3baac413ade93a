import time

import pytest

from rewards.repetition import repetition_penalty


@pytest.mark.parametrize(
    ("text", "ngram", "expected"),
    [
        ("a b a b a", 2, -0.5),  # ab ba ab ba
        ("a a a a a a", 2, -0.8),  # five bigrams, one distinct
        ("a b c d e f", 2, 0.0),
        ("The cat. the CAT.", 3, -0.25),  # the-cat-. cat-.-the .-the-cat the-cat-.
        ("我们我们我们", 2, -0.6),  # five bigrams of characters, two distinct
        ("我们 我们 我们", 2, -0.6),  # white space is no token
        ("一二三四五六七八", 2, 0.0),
        ("a b", 3, 0.0),
        ("", 1, 0.0),
        ("1 + 1 + 1", 2, -0.5),
    ],
)
def test_by_hand(text: str, ngram: int, expected: float) -> None:
    assert repetition_penalty(text, ngram) == pytest.approx(expected)


def test_a_loop_costs_more_the_longer_it_is() -> None:
    loop = "wait , let me check this again because I am not sure about the sign of this term . "
    text = "the quick brown fox jumps over the lazy dog while nobody looks and then it sleeps . "
    penalties = [repetition_penalty(text + loop * times, ngram=10) for times in (0, 1, 2, 5, 50)]
    assert penalties[:2] == [0.0, 0.0]
    assert penalties == sorted(penalties, reverse=True)
    # 17 + 2 * 19 tokens are 46 n-grams. Of the second loop 19 - 9 have been there, and so has the
    # one that begins with the stop before it.
    assert penalties[2] == pytest.approx(-11 / 46)
    assert penalties[-1] < -0.9


@pytest.mark.parametrize("text", ["ha" * 5000, "!" * 5000, "哈" * 5000, "ha " * 5000, "=" * 5000])
def test_every_kind_of_babble_is_repetition(text: str) -> None:
    assert repetition_penalty(text, ngram=20) < -0.9


def test_a_table_is_not_a_loop() -> None:
    table = "\n".join(f"{n} x {n + 1} = {n * (n + 1)}" for n in range(200))
    assert repetition_penalty(table, ngram=20) == 0.0


@pytest.mark.parametrize("unit", ["a", "a ", "我", "!", "word ", "\u0300a"])
def test_time_is_linear(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    start = time.process_time()
    repetition_penalty(text, ngram=20)
    assert time.process_time() - start < 2.0
