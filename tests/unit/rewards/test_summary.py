from __future__ import annotations

import pytest

from rewards.summary import summary_of


@pytest.mark.parametrize(
    ("prompt", "completion", "summary"),
    [
        ("3+4=?", "<think>3+4=7</think>It is 7.", "It is 7."),
        ("3+4=?", "no tag before</think> 7", " 7"),
        ("3+4=?<think>\n", "3+4=7\n</think>\n\n7", "\n\n7"),
        ("3+4=?", "<think>a</think>b<think>c</think>d", "d"),
        ("3+4=?", "It is 7.", "It is 7."),
        ("3+4=?", "<think>\\boxed{7} or", None),
        ("3+4=?<think>\n", "\\boxed{7} or", None),
        ("3+4=?", "<think>a</think>", ""),
    ],
)
def test_summary(prompt: str, completion: str, summary: str | None) -> None:
    assert summary_of(prompt, completion) == summary
