"""Each filter drops what it is for, and keeps its neighbour."""

from __future__ import annotations

import pytest

from configs.data_making import FilterSettings
from recipes import trajectories as t
from recipes.trajectories import Domains, Dropped, Trajectory, counts_table, sift, take_apart
from rl.records import Completion, FinishReason, Group, Outcome, Prompt, Score

SENTENCES = (
    "The first number is larger than the second one. We add the tens before the ones. "
    "After that the carry goes to the left column. The total is what the question asks for."
)
CHINESE = "我们先把两个数的个位相加，再把十位相加，最后得到这个问题的答案。"


def prompt(language: str = "en") -> Prompt:
    about = {"question": "3+4?", "language": language, "kind": "math"}
    return Prompt("p", "User: 3+4? Assistant:", (5, 6), "7", about)


def completion(text: str, sample: int = 0, finish: FinishReason = "stop") -> Completion:
    return Completion("p", sample, text, tuple(range(9)), (), 0, finish)


def score(outcome: Outcome = Outcome.CORRECT, form: float = 1.0) -> Score:
    return Score(1.0, outcome, {"accuracy": 1.0, "format": form})


def result(
    thinking: str,
    summary: str = "It is 7.",
    *,
    language: str = "en",
    outcome: Outcome = Outcome.CORRECT,
    form: float = 1.0,
    finish: FinishReason = "stop",
    has_judge: bool = False,
    **filters: float,
) -> str:
    """The reason to drop this sample, or "kept"."""
    text = f"<think>{thinking}</think>{summary}"
    group = Group(prompt(language), (completion(text, finish=finish),), (score(outcome, form),))
    (found,) = sift(group, FilterSettings(**filters), has_judge=has_judge)
    return found.reason if isinstance(found, Dropped) else "kept"


def test_a_good_one_is_kept() -> None:
    assert result(SENTENCES) == "kept"
    assert result(CHINESE, "答案是7。", language="zh") == "kept"


def test_cut_ill_formed_and_wrong_ones() -> None:
    assert result(SENTENCES, finish="length") == t.CUT
    assert result(SENTENCES, form=0.75) == t.FORM
    assert result("", form=1.0) == t.FORM
    assert result(SENTENCES, "  ") == t.FORM
    assert result(SENTENCES, outcome=Outcome.WRONG) == t.WRONG
    assert result(SENTENCES, outcome=Outcome.NO_ANSWER) == t.WRONG
    assert result(SENTENCES, outcome=Outcome.TIMEOUT) == t.WRONG


def test_what_rules_cannot_check_is_left_to_the_judge_if_there_is_one() -> None:
    assert result(SENTENCES, outcome=Outcome.UNPARSEABLE_GOLD) == t.UNCHECKED
    assert result(SENTENCES, outcome=Outcome.UNPARSEABLE_GOLD, has_judge=True) == "kept"
    # Our own failure is no matter for a judge.
    assert result(SENTENCES, outcome=Outcome.CHECKER_ERROR, has_judge=True) == t.UNCHECKED


def test_mixed_languages() -> None:
    mixed = f"{SENTENCES} {CHINESE}"
    assert result(mixed) == t.LANGUAGE
    assert result(mixed, language="zh") == t.LANGUAGE
    assert result(mixed, min_language_share=0.5) == "kept"
    assert result(mixed, min_language_share=0.0) == "kept"
    assert result(CHINESE) == t.LANGUAGE
    assert result(SENTENCES, "答案是7。") == t.LANGUAGE  # the summary counts too
    # Few words are evidence as well: the nano world has no more.
    assert result(" ones 7+8=15 tens 4+3=7+1=8", "85") == "kept"
    assert result("个7+8=15 tens 4+3=7+1=8", "85") == t.LANGUAGE
    assert result("a+1=1 b+0=1", "1", language="zh") == "kept"


def test_repetition() -> None:
    again = " ".join([SENTENCES] * 3)
    # 3 x 37 words and stops: 37 of the 92 20-grams are new, and 55 / 92 = 0.598.
    assert result(again) == t.REPETITION
    assert result(again, max_repetition=0.59) == t.REPETITION
    assert result(again, max_repetition=0.6) == "kept"
    assert result(again, max_repetition=0.0, repetition_ngram=75) == "kept"
    assert result(again, max_repetition=0.0, repetition_ngram=74) == t.REPETITION
    assert result(SENTENCES) == "kept"


def test_long_paragraphs() -> None:
    words = " ".join(f"We see that number {i} is good." for i in range(20))  # 140 words
    assert result(words, max_paragraph_words=139) == t.PARAGRAPH
    assert result(words, max_paragraph_words=140) == "kept"
    assert result(f"{words}\n \n{words}", max_paragraph_words=140, max_repetition=1.0) == "kept"
    assert result(f"{words}\n{words}", max_paragraph_words=140, max_repetition=1.0) == t.PARAGRAPH
    assert result(words, max_paragraph_words=0) == "kept"
    assert result(CHINESE, "是7", language="zh", max_paragraph_words=20) == t.PARAGRAPH


def test_code_blocks() -> None:
    code = f"{SENTENCES}\n```python\nprint(7)\n```\n"
    assert result(code, code_blocks=False) == t.CODE
    assert result(code, code_blocks=True) == "kept"
    assert result(f"{SENTENCES} We call `print` here.", code_blocks=False) == "kept"
    # In the summary code is the answer.
    assert result(SENTENCES, "It is this.\n```python\nprint(7)\n```\n", code_blocks=False) == "kept"


def test_the_same_sample_twice_is_kept_once() -> None:
    texts = [f"<think>{SENTENCES}</think>{end}" for end in ("It is 7.", "So 7.", " It is 7.\n")]
    group = Group(
        prompt(),
        tuple(completion(text, i) for i, text in enumerate(texts)),
        tuple(score() for _ in texts),
    )
    found = sift(group, FilterSettings(), has_judge=False)
    assert [each.name for each in found] == ["p-0", "p-1", "p-2"]
    assert [isinstance(each, Trajectory) for each in found] == [True, True, False]
    assert isinstance(found[2], Dropped) and found[2].reason == t.SAME


def test_taking_apart() -> None:
    zero = take_apart(prompt(), completion("<think>a</think> <answer>7</answer>", 3))
    assert zero is not None
    assert (zero.name, zero.thinking, zero.summary, zero.tokens) == ("p-3", "a", "7", 9)
    assert zero.row() == {
        "id": "p-3",
        "domain": "math",
        "language": "en",
        "tokens": 9,
        "messages": [
            {"role": "user", "content": "3+4?"},
            {"role": "assistant", "content": "<think>a</think>7"},
        ],
    }
    for bad in (
        "<think>a 7",
        "just 7",
        "<think>a</think>",
        "<think>a</think><answer></answer>",
        "<think>a</think><answer>6</answer><answer>7</answer>",
    ):
        assert take_apart(prompt(), completion(bad)) is None, bad


def test_counts_add_up_or_fail_loudly() -> None:
    dropped = {t.WRONG: 5, t.CUT: 2}
    assert counts_table(10, dropped, 3) == [
        {"filter": t.CUT, "dropped": 2, "left": 8},
        {"filter": t.WRONG, "dropped": 5, "left": 3},
    ]
    with pytest.raises(AssertionError):
        counts_table(10, dropped, 4)
    with pytest.raises(AssertionError):
        counts_table(10, {"a reason that nobody knows": 7}, 3)


def test_domains_as_in_table_5() -> None:
    one = {"messages": [{"role": "user"}, {"role": "assistant"}]}
    two = {"messages": one["messages"] * 2}
    rows = [
        {"domain": "math", "tokens": 10, **one},
        {"domain": "math", "tokens": 30, **two},
        {"domain": "code", "tokens": 7, **one},
    ]
    domains = Domains()
    for row in rows:
        domains.add(row)
    assert domains.rows == 3
    assert domains.table() == {
        "code": {"samples": 1, "rounds": 1.0, "tokens": 7.0},
        "math": {"samples": 2, "rounds": 1.5, "tokens": 20.0},
    }
