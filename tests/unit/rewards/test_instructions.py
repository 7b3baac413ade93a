"""Each verifiable instruction: responses that follow it and responses that do not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rewards.instructions import CHECKS, check_instruction, count_sentences, problem_with

Case = tuple[str, dict[str, Any], list[str], list[str]]

CASES: list[Case] = [
    (
        "keywords:existence",
        {"keywords": ["river", "Stone"]},
        ["A RIVER runs over stone.", "rivers and stones"],
        ["A river runs.", "stone only", ""],
    ),
    (
        "keywords:frequency",
        {"keyword": "fox", "frequency": 2, "relation": "at least"},
        ["Fox and fox", "fox fox foxes"],
        ["one fox", "f o x"],
    ),
    (
        "keywords:frequency",
        {"keyword": "fox", "frequency": 2, "relation": "less than"},
        ["one fox", "none"],
        ["fox and fox"],
    ),
    (
        "keywords:forbidden_words",
        {"forbidden_words": ["bad", "ugly"]},
        ["a badge is good", "Good."],
        ["This is Bad.", "ugly-looking"],
    ),
    (
        "keywords:letter_frequency",
        {"letter": "z", "let_frequency": 3, "let_relation": "at least"},
        ["Zzz", "pizza zoo"],
        ["pizza"],
    ),
    (
        "keywords:letter_frequency",
        {"letter": "!", "let_frequency": 1, "let_relation": "less than"},
        ["Calm."],
        ["Hey!"],
    ),
    (
        "language:response_language",
        {"language": "de"},
        ["Das ist nicht der Weg, und ich gehe ihn nicht."],
        ["This is not the way, and I do not go.", "这不是路。", "12345"],
    ),
    ("language:response_language", {"language": "zh"}, ["好的，谢谢您"], ["はい。", "42"]),
    (
        "language:response_language",
        {"language": "en"},
        ["Yes.", "OK"],
        ["好的，谢谢您", "12", "😀"],
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "at least"},
        ["One. Two! Three?", "One. Two. Three without an end", "一。二！三？"],
        ["Dr. Smith met Mr. Jones.", "One. Two."],
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "less than"},
        ["It costs 3.50 dollars, e.g. here."],
        ["One. Two."],
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ["First.\n***\nSecond.", "***\nFirst.\n***\nSecond.\n***"],
        ["First.\n\nSecond.", "a\n***\n\n***\nb", "a\n***\nb\n***\nc"],
    ),
    (
        "length_constraints:number_words",
        {"num_words": 4, "relation": "at least"},
        ["one two three four", "one, two; three-four"],
        ["one two three"],
    ),
    (
        "length_constraints:number_words",
        {"num_words": 4, "relation": "less than"},
        ["one two three"],
        ["one two three four"],
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Second"},
        ["First one.\n\nSecond one.", 'First.\n\n"second," she said.', "a\n\n\n\nSecond"],
        ["Second.\n\nFirst.", "First.\n\nSecond.\n\nThird.", "First.\nSecond."],
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        ["Dear [name], call [number].", "[a] [b] [c]"],
        ["Dear [name].", "[] and [ \n ]"],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        ["Bye.\nP.S. I am here.", "Bye. p. s. more"],
        ["Bye.", "PS none", "Stop.Start"],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.P.S"},
        ["Bye.\nP.P.S I am here."],
        ["Bye.\nP.S. I am here."],
    ),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* one\n* two", "List:\n- one\n  - two"],
        ["* one", "* one\n* two\n* three", "**bold**\n**bold**"],
    ),
    (
        "detectable_format:constrained_response",
        {},
        ["My answer is yes.", "Well. My answer is maybe."],
        ["Yes.", "My answer is: no"],
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*one* and **two**", "*a* *b* *c*"],
        ["*one*", "** ** and * *", "2*3*4 is one"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        ["Section 1\na\nSection 2\nb", "Section 1 Section 2 Section 3"],
        ["Section 1\na", "Section one, Section two", "SECTION 1 SECTION 2"],
    ),
    (
        "detectable_format:json_format",
        {},
        ['{"a": [1, 2]}', '```json\n{"a": 1}\n```', "[1]"],
        ["{a: 1}", 'Here: {"a": 1}', "[" * 100_000],
    ),
    (
        "detectable_format:title",
        {},
        ["<<A Title>>\ntext"],
        ["<A Title>", "<< >>", "<<two\nlines>>"],
    ),
    (
        "combination:two_responses",
        {},
        ["One.\n******\nTwo.", "******One.******Two.******"],
        ["One.", "Same.\n******\nSame.", "a******b******c", "a************b"],
    ),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Write a poem."},
        ["Write a poem.\nRoses ...", "  WRITE A POEM. Roses"],
        ["Roses ... Write a poem.", "Write a song."],
    ),
    (
        "startend:end_checker",
        {"end_phrase": "Any other questions?"},
        ["Fine. Any other questions?", 'Fine. "any other questions?"  '],
        ["Any other questions? No.", "Fine."],
    ),
    ("startend:quotation", {}, ['"All of it."', ' "x" '], ['"Only the start', "none", '"']),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        ["STOP and GO", "I like NATO"],
        ["Stop and GO", "123 456"],
    ),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "less than"},
        ["only ONE"],
        ["STOP and GO"],
    ),
    (
        "change_case:english_capital",
        {},
        ["THIS IS THE WAY, 100 %."],
        ["This is the way.", "DAS IST NICHT DER WEG UND ICH GEHE"],
    ),
    (
        "change_case:english_lowercase",
        {},
        ["this is the way, 100 %."],
        ["This is the way.", "das ist nicht der weg und ich gehe"],
    ),
    ("punctuation:no_comma", {}, ["One two."], ["One, two."]),
]


@pytest.mark.parametrize(
    ("name", "arguments", "follow", "break_"),
    CASES,
    ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)],
)
def test_instruction(
    name: str, arguments: dict[str, Any], follow: list[str], break_: list[str]
) -> None:
    assert problem_with(name, arguments) is None
    assert [check_instruction(name, arguments, each) for each in follow] == [True] * len(follow)
    assert [check_instruction(name, arguments, each) for each in break_] == [False] * len(break_)


def test_all_25_instructions_have_cases() -> None:
    assert len(CHECKS) == 25
    assert {case[0] for case in CASES} == set(CHECKS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_an_empty_response_follows_nothing(case: Case) -> None:
    assert not check_instruction(case[0], case[1], " \n")


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("punctuation:no_coma", {}, "unknown instruction 'punctuation:no_coma'"),
        ("keywords:existence", {}, r"needs the arguments \['keywords'\], not \[\]"),
        ("detectable_format:title", {"title": 1}, r"needs the arguments \[\], not \['title'\]"),
        (
            "length_constraints:number_words",
            {"num_words": 3, "relation": "at most"},
            "relation='at most' must be one of 'at least', 'less than'",
        ),
    ],
)
def test_what_cannot_be_checked_is_said(name: str, arguments: dict[str, Any], said: str) -> None:
    problem = problem_with(name, arguments)
    assert problem is not None
    assert re.search(said, problem), problem


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("... !!!", 0),
        ("No end", 1),
        ('He said "Go." Then he went.', 2),
        ("Version 1.2.3 is out.", 1),
        ("The U.S. is large. J. Smith lives there.", 2),
        ("Wait... what?! Yes.", 3),
        ("我来了。你呢？", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert count_sentences(text) == count


def test_checks_take_linear_time_on_hostile_text() -> None:
    """Each of these makes a backtracking expression quadratic; 200,000 characters would take
    minutes then, and the file's time limit would end the test."""
    for text in ("*" * 200_000, "[" * 200_000, "." * 200_000, "<<" * 100_000, "```" * 70_000):
        for name, arguments, _, _ in CASES:
            check_instruction(name, arguments, text)
