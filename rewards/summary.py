"""The part of a response that answers the user: what follows the thinking."""

from __future__ import annotations

from rewards.format import END_THINK, THINK, opens_thinking


def summary_of(prompt_text: str, completion_text: str) -> str | None:
    """The text after the last </think>; None when the thinking never ends, as in a response that
    was cut. A response that opens no thinking is all summary.

    summary_of("3+4=?", "<think>3+4=7</think>It is 7.") == "It is 7."
    """
    _, closed, after = completion_text.rpartition(END_THINK)
    if closed:
        return after
    if opens_thinking(prompt_text) or THINK in completion_text:
        return None
    return completion_text
