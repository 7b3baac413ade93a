"""Whether a completion solves its problem, by the kind of the benchmark.

Only the summary counts, what follows the thinking: an answer that the model considered on the way
is not its answer.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recipes.benchmarks.table import Kind
from rewards.accuracy import accuracy_outcome, extract_answer, read_number
from rewards.choices import chosen_letter
from rewards.format import END_THINK
from rewards.instructions import check_instruction
from rewards.summary import summary_of
from rl.records import Outcome, Prompt


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict(Outcome.CORRECT, extracted="7")"""

    outcome: Outcome
    extracted: str | None = None
    """The answer as the completion gives it; None when there is none, or none to vote with."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """1.0 or 0.0 for each instruction of IFEval."""


def judge(kind: Kind, prompt: Prompt, completion_text: str) -> Verdict:
    """A pure function. completion_text is free of end-of-text tokens."""
    summary = summary_of(prompt.text, completion_text)
    if summary is None:
        return Verdict(Outcome.NO_ANSWER)
    return JUDGES[kind](prompt, summary)


def vote_key(kind: Kind, extracted: str) -> str:
    """Equal for answers that count as one in a vote: numbers by value ("0.50" and "1/2"), other
    answers by their characters without white space."""
    number = read_number(extracted) if kind == "math" else None
    if number is not None:
        return str(number)
    return "".join(unicodedata.normalize("NFKC", extracted).split()).strip("$.")


def _judge_math(prompt: Prompt, summary: str) -> Verdict:
    # The checker reads what follows the thinking, which is not there any more.
    text = END_THINK + summary
    return Verdict(accuracy_outcome(text, prompt.answer), extract_answer(text))


def _judge_choice(prompt: Prompt, summary: str) -> Verdict:
    letter = chosen_letter(summary)
    if letter is None:
        return Verdict(Outcome.NO_ANSWER)
    return Verdict(Outcome.CORRECT if letter == prompt.answer else Outcome.WRONG, letter)


def _judge_instructions(prompt: Prompt, summary: str) -> Verdict:
    """Strict: each instruction is checked on the summary as it is, and all must be followed."""
    parts = {
        f"{index} {each['name']}": float(
            check_instruction(each["name"], each["arguments"], summary)
        )
        for index, each in enumerate(json.loads(prompt.answer))
    }
    followed = all(parts.values())
    return Verdict(Outcome.CORRECT if followed else Outcome.WRONG, parts=parts)


JUDGES: dict[Kind, Callable[[Prompt, str], Verdict]] = {
    "math": _judge_math,
    "choice": _judge_choice,
    "instructions": _judge_instructions,
}
"""Kinds without an entry cannot be scored; launch/evaluate.py refuses them at the start."""

VOTED_KINDS: tuple[Kind, ...] = ("math", "choice")
"""Kinds with answers that can be equal, for cons@n."""
