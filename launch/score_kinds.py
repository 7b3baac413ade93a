"""What `launch score` can score: for each kind, the fields a row needs and how it is judged.

A kind is a function that prepares a judge, so that what a kind needs (a model file, a sandbox) is
loaded once in every worker, and only when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast, get_args

Row = Mapping[str, object]


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


class FieldError(ValueError):
    """A field of a row that cannot be used: "completion: missing; expected text"."""


def text_field(row: Row, name: str, default: str | None = None) -> str:
    """A field that holds text. Raises FieldError when it is missing or something else."""
    value = row.get(name, default)
    if not isinstance(value, str):
        raise _unusable(row, name, "text")
    return value


def bool_field(row: Row, name: str) -> bool:
    """A field that holds true or false. Raises FieldError when it is missing or something else."""
    value = row.get(name)
    if not isinstance(value, bool):
        raise _unusable(row, name, "true or false")
    return value


def _unusable(row: Row, name: str, wanted: str) -> FieldError:
    got = f"{json.dumps(row[name])[:40]} is not {wanted}" if name in row else f"missing; {wanted}"
    return FieldError(f"{name}: {got}")


def choice_field(row: Row, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
    """A text field with few legal values. Raises FieldError for any other."""
    value = text_field(row, name, default)
    if value not in choices:
        raise FieldError(f"{name}: unknown {value[:40]!r}; choose from: {', '.join(choices)}")
    return value


def format_judge() -> Judge:
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

    return judge


def language_judge() -> Judge:
    """completion, target. Scores the thinking; the whole text when there are no think tags."""
    from configs.schema import LanguageSettings
    from rewards.format import thinking_part
    from rewards.language import SCRIPTS_OF, language_share

    max_stripped_share = LanguageSettings().max_stripped_share

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

    return judge


KINDS: dict[str, Callable[[], Judge]] = {"format": format_judge, "language": language_judge}
