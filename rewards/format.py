"""The format reward: one block of thinking, then one answer, and nothing else.

No regular expression here can match in more than one way, so that none backtracks on hostile
output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rl.records import FinishReason

THINK, END_THINK, ANSWER, END_ANSWER = "<think>", "</think>", "<answer>", "</answer>"
TAGS = (THINK, END_THINK, ANSWER, END_ANSWER)
TAG = re.compile("</?(?:think|answer)>")

Form = Literal["answer_tags", "think_tags", "soft"]
"""answer_tags: <think>content</think><answer>content</answer>, R1-Zero's template.
think_tags: <think>content</think>content, the R1 stages.
soft: 0.25 for each of the four tags that occurs once and in order, for cold starts."""

END_TOKENS = (
    "<｜end▁of▁sentence｜>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<end_of_turn>",
    "</s>",
)
"""What the common tokenizers print for the end of a text or turn."""
# Read from the end backwards, the run that a text ends in is matched from one place only.
BACKWARDS_END = re.compile(
    rf"(?:\s++|{'|'.join(re.escape(token[::-1]) for token in END_TOKENS)})*+"
)


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in a text: text[start:end] == name."""

    name: str
    start: int
    end: int


def scan_tags(text: str) -> Iterator[Tag]:
    """All tags from left to right, in linear time: every place is looked at once."""
    for match in TAG.finditer(text):
        yield Tag(match[0], match.start(), match.end())


def opens_thinking(prompt_text: str) -> bool:
    """Whether the prompt ends in a <think> that the completion goes on from, as R1's later chat
    template does."""
    return prompt_text.rstrip().endswith(THINK)


def strip_end_tokens(text: str) -> str:
    """The text without the end tokens, and the white space among them, that it ends in."""
    end_run = BACKWARDS_END.match(text[::-1])
    assert end_run is not None  # it matches the empty text, too
    return text[: len(text) - end_run.end()]


def thinking_part(text: str) -> str:
    """What stands before the last </think>, without the <think> it starts with; all of a text
    that is still thinking when it ends."""
    end = text.rfind(END_THINK)
    return (text if end == -1 else text[:end]).lstrip().removeprefix(THINK)


def format_reward(
    prompt_text: str,
    completion_text: str,
    finish_reason: FinishReason,
    form: Form = "answer_tags",
) -> float:
    """1.0 for a completion that has the form, white space aside, else 0.0; `soft` has quarters.

    format_reward("3+4=?", "<think>3+4=7</think> <answer>7</answer>", "stop") == 1.0
    format_reward("3+4=?<think>", "3+4=7</think> It is 7.", "stop", "think_tags") == 1.0
    format_reward("3+4=?", "<think>3+4=7</think> It is 7.", "stop", "soft") == 0.5
    A completion cut at the length cap gets 0.0. The soft form does not look at what the tags
    enclose.
    """
    if finish_reason != "stop":
        return 0.0
    text = THINK + completion_text if opens_thinking(prompt_text) else completion_text
    text = strip_end_tokens(text)
    if form == "soft":
        return _soft(text)
    wanted = TAGS if form == "answer_tags" else TAGS[:2]
    tags: list[Tag] = []
    for tag in scan_tags(text):
        if len(tags) == len(wanted):
            return 0.0
        tags.append(tag)
    if tuple(tag.name for tag in tags) != wanted:
        return 0.0
    return float(_filled_answer_tags(text, tags) if len(tags) == 4 else _filled_think(text, tags))


def _filled_answer_tags(text: str, tags: Sequence[Tag]) -> bool:
    """Whether both blocks hold something and nothing stands outside them."""
    think, end_think, answer, end_answer = tags
    outside = (text[: think.start], text[end_think.end : answer.start], text[end_answer.end :])
    inside = (text[think.end : end_think.start], text[answer.end : end_answer.start])
    return not any(map(str.strip, outside)) and all(map(str.strip, inside))


def _filled_think(text: str, tags: Sequence[Tag]) -> bool:
    """Whether the block stands first and holds something, and something follows it."""
    think, end_think = tags
    before = text[: think.start]
    filled = (text[think.end : end_think.start], text[end_think.end :])
    return not before.strip() and all(map(str.strip, filled))


def _soft(text: str) -> float:
    """A tag is in order when all occurrences of the tags before it in TAGS stand before it, and
    all of those after it stand after it. Without any, the first is at -1 and so is the last."""
    first = [text.find(tag) for tag in TAGS]
    last = [text.rfind(tag) for tag in TAGS]
    good = 0
    for rank, place in enumerate(first):
        once = place == last[rank] != -1
        before = all(each < place for each in last[:rank])
        after = all(each > place for each in first[rank + 1 :] if each != -1)
        good += once and before and after
    return good / len(TAGS)
