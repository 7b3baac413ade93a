"""Planted overlaps are found, near misses are not."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from recipes.benchmarks.items import Item
from recipes.decontamination import EvaluationTexts, contaminated, units, write_removed

QUESTION = "A farmer has 17 sheep and buys 25 more at the market on Monday; how many are there now?"
SOLUTION = "He has 17 + 25 = 42 sheep, because buying adds to what was already there before Monday."
CHINESE = "小明有三十二个苹果，他吃掉了其中的五个，还剩下多少个苹果？"


def item(*sources: str) -> Item:
    return Item(question="", answer="", sources=sources)


@pytest.fixture(scope="module")
def texts() -> EvaluationTexts:
    return EvaluationTexts(
        {
            "farm": [("farm-0", item(QUESTION, SOLUTION)), ("farm-1", item("Compute 3+4."))],
            "zh": [("zh-0", item(CHINESE))],
        }
    )


def test_units_are_words_and_single_chinese_characters() -> None:
    assert units("Solve X_1 + 2.5, Don't; Café") == [
        *("solve", "x", "1", "2", "5", "don", "t", "café")
    ]
    assert units("解方程 x+1=2かな") == ["解", "方", "程", "x", "1", "2", "か", "な"]
    assert units("ＦＵＬＬ width１２") == ["full", "width12"]


def test_ten_common_words_are_found_whatever_case_and_punctuation(texts: EvaluationTexts) -> None:
    planted = "So: FARMER has 17 sheep, and buys 25 more -- at the MARKET!"
    (match,) = texts.matches([planted])
    assert (match.benchmark, match.item, match.text, match.unit) == ("farm", "farm-0", 0, 1)


def test_nine_common_words_are_not(texts: EvaluationTexts) -> None:
    assert texts.matches(["the FARMER had farmer has 17 sheep and buys 25 more at once"]) == ()
    assert texts.matches(["has 17 sheep and buys 25 more at the dog market on Monday"]) == ()


def test_nine_and_ten_chinese_characters(texts: EvaluationTexts) -> None:
    shared = "他吃掉了其中的五个还"
    assert len(shared) == 10
    assert [match.item for match in texts.matches(["问：" + shared + "好"])] == ["zh-0"]
    assert texts.matches(["问：" + shared[:9] + "好" + shared[1:5]]) == ()


def test_reference_solutions_count_and_the_second_text_of_a_row(texts: EvaluationTexts) -> None:
    (match,) = texts.matches(
        ["Something else.", "I think because buying adds to what was already there before monday"]
    )
    assert (match.item, match.text, match.unit) == ("farm-0", 1, 2)


def test_a_short_question_matches_as_a_whole_only(texts: EvaluationTexts) -> None:
    assert [m.item for m in texts.matches(["compute 3 + 4"])] == ["farm-1"]
    assert texts.matches(["Compute 3+4+5."]) == ()
    assert texts.matches(["Then compute 3+4."]) == ()


def test_words_in_another_order_do_not_match(texts: EvaluationTexts) -> None:
    words = units(QUESTION)
    rng = random.Random(0)
    for _ in range(20):
        shuffled = words[:]
        rng.shuffle(shuffled)
        assert texts.matches([" ".join(shuffled)]) == ()


def test_every_matched_item_is_listed_once_and_no_text_of_it(
    texts: EvaluationTexts, tmp_path: Path
) -> None:
    rows = [
        ("train-0", ["What is 2+2?"]),
        ("train-1", [QUESTION + " " + CHINESE, QUESTION]),
        ("train-2", [""]),
    ]
    removed = contaminated(rows, texts)
    assert [(each.row, [m.item for m in each.matches]) for each in removed] == [
        ("train-1", ["farm-0", "zh-0"])
    ]
    write_removed(removed, tmp_path / "removed.jsonl")
    (line,) = (tmp_path / "removed.jsonl").read_text().splitlines()
    assert json.loads(line)["matches"][0] == {
        "benchmark": "farm",
        "item": "farm-0",
        "text": 0,
        "unit": 0,
    }
    assert "sheep" not in line


def test_without_evaluation_sets_nothing_is_removed() -> None:
    assert EvaluationTexts({}).matches([QUESTION]) == ()
    assert EvaluationTexts({"a": [("a-0", item("..."))]}).matches(["..."]) == ()


def test_agrees_with_a_plain_search_on_random_texts() -> None:
    rng = random.Random(1)

    def text() -> list[str]:
        return rng.choices(["a", "b"], k=rng.randrange(0, 30))

    evaluation = [text() for _ in range(10)]
    found = EvaluationTexts(
        {"x": [(str(i), item(" ".join(words))) for i, words in enumerate(evaluation)]}, n=4
    )
    for _ in range(300):
        row = text()
        grams = {tuple(row[i : i + 4]) for i in range(len(row) - 3)}
        expected = {
            str(i)
            for i, words in enumerate(evaluation)
            if any(tuple(words[j : j + 4]) in grams for j in range(len(words) - 3))
            or (0 < len(words) < 4 and words == row)
        }
        assert {match.item for match in found.matches([" ".join(row)])} == expected


def test_repetitive_texts_take_linear_time() -> None:
    """100,000 equal words on both sides: a quadratic search would compare 10^10 pairs."""
    began = time.perf_counter()
    found = EvaluationTexts({"x": [("x-0", item("na " * 100_000))]})
    assert found.matches(["na " * 100_000])[0].unit == 0
    assert time.perf_counter() - began < 10.0
