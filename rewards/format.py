"""The format reward: one block of thinking, then one answer, and nothing else.

Tags are found by a linear scan; no regular expression can backtrack on hostile output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rl.records import FinishReason

THINK, END_THINK, ANSWER, END_ANSWER = "<think>", "</think>", "<answer>", "</answer>"
TAGS = (THINK, END_THINK, ANSWER, END_ANSWER)


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in a text: text[start:end] == name."""

    name: str
    start: int
    end: int


def scan_tags(text: str) -> Iterator[Tag]:
    """All tags from left to right. Every tag starts with "<", so each is looked at once."""
    start = text.find("<")
    while start != -1:
        for name in TAGS:
            if text.startswith(name, start):
                yield Tag(name, start, start + len(name))
                break
        start = text.find("<", start + 1)


def opens_thinking(prompt_text: str) -> bool:
    """Whether the prompt ends in a <think> that the completion goes on from, as R1's later chat
    template does."""
    return prompt_text.rstrip().endswith(THINK)


def format_reward(prompt_text: str, completion_text: str, finish_reason: FinishReason) -> float:
    """1.0 for exactly <think>content</think><answer>content</answer>, white space aside; else 0.0.

    format_reward("3+4=?", "<think>3+4=7</think> <answer>7</answer>", "stop") == 1.0
    completion_text is free of end-of-text tokens. A completion cut at the length cap gets 0.0.
    """
    if finish_reason != "stop":
        return 0.0
    text = THINK + completion_text if opens_thinking(prompt_text) else completion_text
    tags: list[Tag] = []
    for tag in scan_tags(text):
        if len(tags) == len(TAGS):
            return 0.0
        tags.append(tag)
    if tuple(tag.name for tag in tags) != TAGS:
        return 0.0
    think, end_think, answer, end_answer = tags
    outside = (text[: think.start], text[end_think.end : answer.start], text[end_answer.end :])
    inside = (text[think.end : end_think.start], text[answer.end : end_answer.start])
    return float(not any(map(str.strip, outside)) and all(map(str.strip, inside)))
