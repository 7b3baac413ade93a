import itertools
import random
import time

import pytest

from rewards.format import TAGS, format_reward, scan_tags

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


@pytest.mark.parametrize("piece", ["<think>", "</answer>", "<", "<<think", "<think><answer>", " "])
def test_time_is_linear_in_the_length(piece):
    start = time.process_time()
    assert format_reward("", piece * 100_000, "stop") == 0.0
    assert format_reward("", "<think>" + piece * 100_000, "stop") == 0.0
    assert time.process_time() - start < 1.0
