"""Cold-start style by a language model, in two steps as in the paper (arXiv 2501.12948v2, B.3.2):
the thinking in the first person and in the language of the question, then a readable summary of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recipes.kept_replies import Unusable
from recipes.text_models import TextModel
from recipes.trajectories import REWRITER, Dropped, Trajectory
from rewards.format import TAG

THINKING = """\
Rewrite the thinking process below so that it reads like a person thinking aloud: first person, \
natural and conversational, in short paragraphs. Begin with understanding the question; keep \
every step, every doubt and every check of the original and their order; add no step, correct \
nothing and leave nothing out. No headings, no lists, no code blocks. Translate the thinking \
process to the same language as the question. Reply with the rewritten thinking process only.

Question:
{question}

Thinking process:
{thinking}"""

SUMMARY = """\
Below are a question and the thinking process that solves it. Write the solution for a reader, \
based on that thinking process alone: do not solve the question yourself and add no reasoning of \
your own. Be concise, write key steps in LaTeX, use the same language as the question, do not \
mention that there was a thinking process, and start with the solution itself. {ending}

Question:
{question}

Thinking process:
{thinking}"""
BOXED = "End with the final answer in \\boxed{}."
PROGRAM = "End with the whole program in one fenced code block."


def rewrite_all(trajectories: Sequence[Trajectory], model: TextModel) -> list[Trajectory | Dropped]:
    """Each in cold-start style, or dropped because the model's text cannot be used."""
    questions = [THINKING.format(question=t.question, thinking=t.thinking) for t in trajectories]
    thinking = model.ask_all(questions)
    usable = [i for i, text in enumerate(thinking) if _problem(text) is None]
    questions = [
        SUMMARY.format(
            question=trajectories[i].question, thinking=thinking[i], ending=_ending(trajectories[i])
        )
        for i in usable
    ]
    summaries = dict(zip(usable, model.ask_all(questions), strict=True))
    return [
        _rewritten(trajectory, thinking[i], summaries.get(i))
        for i, trajectory in enumerate(trajectories)
    ]


def _ending(trajectory: Trajectory) -> str:
    return PROGRAM if trajectory.prompt.metadata.get("checker") == "code" else BOXED


def _problem(text: str | Unusable) -> str | None:
    if isinstance(text, Unusable):
        return text.why
    return "holds tags" if TAG.search(text) else None


def _rewritten(
    trajectory: Trajectory, thinking: str | Unusable, summary: str | Unusable | None
) -> Trajectory | Dropped:
    for name, text in (("thinking", thinking), ("summary", summary)):
        problem = _problem(text) if text is not None else None
        if problem is not None:
            return Dropped(trajectory.name, REWRITER, f"{name}: {problem}", trajectory.answer)
    return replace(trajectory, thinking=f"\n{thinking}\n", summary=f"\n\n{summary}")
