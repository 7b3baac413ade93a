"""What `launch score` can score: for each kind, the fields a row needs and how it is judged.

A kind opens a judge, which may own processes (a sandbox, Math-Verify) and ends them on leaving.
What it needs is imported there, so that no kind pays for another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, cast, get_args

from configs.errors import UserError

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is added to a row, besides its seconds.

    Verdict(outcome="scored", reward=0.75, detail={"words": 40.0, "target_words": 30.0, ...})
    """

    outcome: str
    reward: float | None
    """None: no verdict about the completion."""
    extracted: str | None = None
    detail: str | Mapping[str, float] | None = None


Judge = Callable[[Row], Verdict]
"""Raises UserError, "field: what is wrong with it", for a row that it cannot judge."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How to get a judge of one kind."""

    open_judge: Callable[[int], AbstractContextManager[Judge]]
    """Given the number of workers."""
    shared: bool = False
    """One judge does the work of all workers and is called from as many threads; otherwise each
    worker is a process with its own."""


@contextmanager
def open_format_judge(workers: int) -> Iterator[Judge]:
    """completion, prompt_suffix; form and finish_reason when they are not the defaults."""
    from rewards.format import Form, format_reward
    from rl.records import FinishReason

    def judge(row: Row) -> Verdict:
        reward = format_reward(
            text_field(row, "prompt_suffix"),
            text_field(row, "completion"),
            cast(FinishReason, choice_field(row, "finish_reason", get_args(FinishReason), "stop")),
            cast(Form, choice_field(row, "form", get_args(Form), "answer_tags")),
        )
        outcome = {0.0: "malformed", 1.0: "well_formed"}.get(reward, "partly_formed")
        return Verdict(outcome, reward)

    yield judge


@contextmanager
def open_language_judge(workers: int) -> Iterator[Judge]:
    """completion, target. Scores the thinking; the whole text when there are no think tags."""
    from configs.rewards import RewardSettings
    from rewards.format import thinking_part
    from rewards.language import SCRIPTS_OF, language_share

    max_stripped_share = RewardSettings().max_stripped_share

    def judge(row: Row) -> Verdict:
        text = thinking_part(text_field(row, "completion"))
        target = choice_field(row, "target", tuple(SCRIPTS_OF))
        result = language_share(text, target, max_stripped_share)
        detail = {
            "words": round(result.words, 2),
            "target_words": round(result.target_words, 2),
            "stripped_share": round(result.stripped_share, 4),
        }
        outcome = "too_few_words" if result.share is None else "scored"
        return Verdict(outcome, result.share, detail=detail)

    yield judge


@contextmanager
def open_math_judge(workers: int) -> Iterator[Judge]:
    """prediction, gold, is_answer."""
    from rewards.math import MathChecker
    from rl.records import Outcome

    rewards = {
        Outcome.CORRECT: 1.0,
        Outcome.WRONG: 0.0,
        Outcome.NO_ANSWER: 0.0,
        Outcome.TIMEOUT: 0.0,
        Outcome.UNPARSEABLE_GOLD: None,
        Outcome.CHECKER_ERROR: None,
    }
    with MathChecker() as checker:

        def judge(row: Row) -> Verdict:
            found = checker.check(
                text_field(row, "prediction"),
                text_field(row, "gold"),
                is_answer=bool_field(row, "is_answer"),
            )
            reward = rewards[found.outcome]
            return Verdict(found.outcome, reward, found.extracted, found.detail or None)

        yield judge


@contextmanager
def open_code_judge(workers: int) -> Iterator[Judge]:
    """code, tests; language, entry_point, limits and compare when they are not the defaults."""
    from configs.rewards import CodeSettings, SandboxSettings
    from rewards.code.backend import open_sandbox
    from rewards.code.judge import CodeJudge
    from rewards.code.tasks import read_task

    settings = CodeSettings(sandbox=SandboxSettings(workers=workers))
    with open_sandbox(settings) as sandbox:
        checker = CodeJudge(sandbox, settings)

        def judge(row: Row) -> Verdict:
            found = checker.check(read_task(row, settings))
            reward = found.reward(all_or_nothing=settings.all_or_nothing)
            return Verdict(found.verdict, reward, detail=found.detail or None)

        yield judge


KINDS = {
    "math": Kind(open_math_judge),
    "code": Kind(open_code_judge, shared=True),
    "format": Kind(open_format_judge),
    "language": Kind(open_language_judge),
}


def text_field(row: Row, name: str, default: str | None = None) -> str:
    """A field that holds text. Raises UserError when it is missing or something else."""
    value = row.get(name, default)
    if not isinstance(value, str):
        raise _unusable(row, name, "text")
    return value


def bool_field(row: Row, name: str) -> bool:
    """A field that holds true or false. Raises UserError when it is missing or something else."""
    value = row.get(name)
    if not isinstance(value, bool):
        raise _unusable(row, name, "true or false")
    return value


def choice_field(row: Row, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
    """A text field with few legal values. Raises UserError for any other."""
    value = text_field(row, name, default)
    if value not in choices:
        raise UserError(f"{name}: unknown {value[:40]!r}; choose from: {', '.join(choices)}")
    return value


def _unusable(row: Row, name: str, wanted: str) -> UserError:
    if name not in row:
        return UserError(f"{name}: missing; {wanted} is needed")
    return UserError(f"{name}: {json.dumps(row[name])[:40]} is not {wanted}")
