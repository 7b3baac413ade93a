"""Cold-start style by a rule, for trajectories of the nano world.

    thinking  ones 7+8=15 tens ...    ->   let me check: ones 7+8=15 tens ...
    summary   85                      ->   the answer is 85

First person in front of the working, a sentence as summary, all in the language of the question and
in words that the nano tokenizer knows.
"""

from __future__ import annotations

from dataclasses import replace

from recipes.nano_world import Language, spell
from recipes.trajectories import REWRITER, Dropped, Trajectory

OPENINGS: dict[Language, str] = {"en": " let me check:", "zh": "我想想:"}
SUMMARIES: dict[Language, str] = {"en": " the answer is {answer}", "zh": "答案是{answer}"}
ANNOUNCEMENTS = ("{guess}", "{roughly}")
"""What guesses and rough workings begin with."""


def rewrite_nano(trajectory: Trajectory) -> Trajectory | Dropped:
    """The same working in cold-start style. Dropped: a guess without any working."""
    language: Language = "zh" if trajectory.prompt.metadata["language"] == "zh" else "en"
    working = trajectory.thinking
    for word in ANNOUNCEMENTS:
        for form in ("en", "zh"):
            working = working.replace(spell(word, form), "")
    if "=" not in working:
        return Dropped(trajectory.name, REWRITER, "a guess without a working", trajectory.answer)
    summary = SUMMARIES[language].format(answer=trajectory.summary.strip())
    return replace(trajectory, thinking=OPENINGS[language] + working, summary=summary)
