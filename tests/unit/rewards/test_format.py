import itertools
import random
import time

import pytest

from rewards.format import (
    END_TOKENS,
    TAGS,
    format_reward,
    scan_tags,
    strip_end_tokens,
    thinking_part,
)

GOOD = "<think>3+4=7</think><answer>7</answer>"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "  <think> a </think>\n\n<answer>\n7\n</answer>\n",
        "<think>a < b, 2>1, <b>bold</b></think><answer><7></answer>",
        "<think>想</think><answer>七</answer>",
        "<think>almost a tag: <think, </thin></think><answer>7</answer>",
    ],
)
def test_well_formed(text):
    assert format_reward("3+4=?", text, "stop") == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "<think></think><answer>7</answer>",
        "<think> \n\u3000</think><answer>7</answer>",
        "<think>a</think><answer></answer>",
        "<think>a</think><answer> </answer>",
        "<think>a</think>7",
        "<think>a<answer>7</answer>",
        "a</think><answer>7</answer>",
        "<answer>7</answer><think>a</think>",
        "<think>a<answer>7</answer></think>",
        "<think>a<think>b</think></think><answer>7</answer>",
        "<think><think>b</think><answer>7</answer>",
        "<think>a</think><answer><answer>7</answer></answer>",
        "<think>a</think><answer>7</answer><answer>7</answer>",
        GOOD + GOOD,
        GOOD + " done",
        "so " + GOOD,
        "<think>a</think>so<answer>7</answer>",
        GOOD + "</answer>",
        GOOD + "</think>",
        "<THINK>a</THINK><ANSWER>7</ANSWER>",
        "<think >a</think ><answer>7</answer>",
    ],
)
def test_malformed(text):
    assert format_reward("3+4=?", text, "stop") == 0.0


def test_truncated_gets_nothing():
    assert format_reward("3+4=?", GOOD, "length") == 0.0


@pytest.mark.parametrize("prompt", ["3+4=?<think>", "3+4=?<｜Assistant｜><think>\n"])
def test_prompt_that_opened_the_thinking(prompt):
    assert format_reward(prompt, GOOD.removeprefix("<think>"), "stop") == 1.0
    assert format_reward(prompt, GOOD, "stop") == 0.0


def test_a_think_tag_inside_the_prompt_opens_nothing():
    prompt = "Use <think> </think>. User: 3+4=? Assistant:"
    assert format_reward(prompt, GOOD, "stop") == 1.0
    assert format_reward(prompt, GOOD.removeprefix("<think>"), "stop") == 0.0


def test_of_all_orders_of_up_to_five_tags_only_one_is_good():
    good = [
        tags
        for length in range(6)
        for tags in itertools.product(TAGS, repeat=length)
        if format_reward("", "".join(f"{tag}x" for tag in tags).removesuffix("x"), "stop")
    ]
    # "x" stands between </think> and <answer> here, so not even the right order is good.
    assert good == []
    spaced = [
        tags
        for length in range(6)
        for tags in itertools.product(TAGS, repeat=length)
        if format_reward("", "".join(t if t.startswith("</") else f"{t}x" for t in tags), "stop")
    ]
    assert spaced == [TAGS]


def test_tags_are_found_where_they_stand():
    rng = random.Random(0)
    for _ in range(200):
        text = "".join(rng.choices([*TAGS, "<", ">", "/", "think", "x", " "], k=30))
        naive = [(i, t) for i in range(len(text)) for t in TAGS if text.startswith(t, i)]
        assert [(tag.start, tag.name) for tag in scan_tags(text)] == naive
        assert all(text[tag.start : tag.end] == tag.name for tag in scan_tags(text))


@pytest.mark.parametrize(
    "text",
    [
        "<think>3+4=7</think>7",
        "\n <think> a </think>\n\nThe answer is $\\boxed{7}$.\n",
        "<think>想</think>七<|im_end|>",
    ],
)
def test_think_tags_form(text):
    assert format_reward("3+4=?", text, "stop", "think_tags") == 1.0
    assert format_reward("3+4=?", text, "stop") == 0.0
    assert format_reward("3+4=?", text, "length", "think_tags") == 0.0
    rest = text.lstrip().removeprefix("<think>")
    assert format_reward("3+4=?<think>\n", rest, "stop", "think_tags") == 1.0
    assert format_reward("3+4=?<think>\n", text, "stop", "think_tags") == 0.0
    assert format_reward("3+4=?", rest, "stop", "think_tags") == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "<think>a</think>",
        "<think>a</think> \n<|im_end|>",
        "<think></think>7",
        "<think> \u3000</think>7",
        "so <think>a</think>7",
        "<think>a</think>7</think>8",
        "<think>a<think>b</think>7",
        "</think>a<think>7",
        "<think>a",
        GOOD,
        "<think>a</think>7</answer>",
        "<think>a<answer>b</think>7",
    ],
)
def test_not_the_think_tags_form(text):
    assert format_reward("3+4=?", text, "stop", "think_tags") == 0.0


@pytest.mark.parametrize(
    ("text", "quarters"),
    [
        (GOOD, 4),
        (GOOD + " text outside", 4),
        ("", 0),
        ("7", 0),
        ("<think>", 1),
        ("<think>a</think>7", 2),
        ("<think>a</think><answer>7", 3),
        ("</think><answer>7</answer>", 3),
        ("<think>a<think>b</think><answer>7</answer>", 3),  # <think> twice
        ("<answer>7</answer><think>a</think>", 0),  # nothing in order
        ("<think>a</think></answer>7<answer>", 2),
        ("<think>a</think><answer>7</answer></think>", 1),  # the last </think> is out of order
        (GOOD + GOOD, 0),
        ("<think><answer></think></answer>", 2),
    ],
)
def test_soft_form(text, quarters):
    assert format_reward("3+4=?", text, "stop", "soft") == quarters / 4
    assert format_reward("3+4=?", text, "length", "soft") == 0.0


def test_soft_form_is_whole_where_the_strict_one_is():
    assert format_reward("3+4=?<think>", GOOD.removeprefix("<think>"), "stop", "soft") == 1.0
    for tags in itertools.product(TAGS, repeat=4):
        text = "".join(f"{tag}x" for tag in tags)
        assert (format_reward("", text, "stop", "soft") == 1.0) == (tags == TAGS)


@pytest.mark.parametrize("token", END_TOKENS)
def test_end_tokens_do_not_count_as_text(token):
    assert format_reward("", GOOD + token, "stop") == 1.0
    assert format_reward("", GOOD + f"\n{token}\n{token} ", "stop") == 1.0
    assert format_reward("", f"<think>a{token}</think><answer>7</answer>", "stop") == 1.0
    assert format_reward("", GOOD + token + "x", "stop") == 0.0
    assert format_reward("", token + GOOD, "stop") == 0.0
    assert format_reward("", f"<think>a</think><answer>{token}</answer>", "stop") == 1.0
    assert format_reward("", f"<think>a</think>{token}", "stop", "think_tags") == 0.0


def test_stripping_takes_linear_time():
    for token in END_TOKENS:
        start = time.process_time()
        assert strip_end_tokens("a " + f"{token} \n" * 100_000) == "a"
        assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, "3+4=7"),
        (GOOD.removeprefix("<think>"), "3+4=7"),
        ("\n<think>still thinking", "still thinking"),
        ("a</think>b</think>c", "a</think>b"),
        ("<think></think>7", ""),
        ("", ""),
    ],
)
def test_thinking_part(text, expected):
    assert thinking_part(text) == expected


@pytest.mark.parametrize("form", ["answer_tags", "think_tags", "soft"])
@pytest.mark.parametrize("unit", ["<think>", "</s>", "<", "</answer> ", " "])
def test_a_megabyte_of_anything(unit, form):
    start = time.process_time()
    format_reward("", unit * (1_000_000 // len(unit)), "stop", form)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("piece", ["<think>", "</answer>", "<", "<<think", "<think><answer>", " "])
def test_time_is_linear_in_the_length(piece):
    start = time.process_time()
    assert format_reward("", piece * 100_000, "stop") == 0.0
    assert format_reward("", "<think>" + piece * 100_000, "stop") == 0.0
    assert time.process_time() - start < 1.0
