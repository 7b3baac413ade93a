"""Whether a completion solves its problem, by the kind of the benchmark.

Only the summary counts, what follows the thinking: an answer that the model considered on the way
is not its answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self, cast

from configs.rewards import CodeSettings, RewardSettings
from recipes.benchmarks.table import Benchmark, Kind
from recipes.nano_general import GeneralPrompt, true_value
from rewards.choices import chosen_letter
from rewards.code.backend import open_sandbox
from rewards.code.completions import extract_code
from rewards.code.judge import CodeJudge
from rewards.code.tasks import TaskError, read_task
from rewards.format import END_THINK, thinking_part
from rewards.instructions import check_instruction
from rewards.language import language_share
from rewards.math import MathChecker
from rewards.math.normalise import normalise, same_spelling
from rewards.math.numbers import exact_number
from rewards.scoring import CODE_OUTCOMES
from rewards.summary import summary_of
from rl.records import Outcome, Prompt

VOTED_KINDS: tuple[Kind, ...] = ("math", "choice")
"""Kinds with answers that can be equal, for cons@n."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict(Outcome.CORRECT, extracted="7")"""

    outcome: Outcome
    extracted: str | None = None
    """The answer as the completion gives it; None when there is none, or none to vote with."""
    instructions: tuple[tuple[str, bool], ...] = ()
    """Each instruction of IFEval, and whether it was followed."""
    worth: float | None = None
    """Of an answer to an open request."""


class Judge:
    """Judges completions. Owns the processes that checks need, which close() ends; those of
    mathematics start with the first answer that needs them."""

    def __init__(self, code: CodeSettings, *, programs: bool) -> None:
        """programs: start the sandbox now, so that a machine without one is noticed before
        anything is sampled. Raises UserError then."""
        self._owned = ExitStack()
        self._code = code
        self._math = self._owned.enter_context(MathChecker())
        self._threads = self._owned.enter_context(ThreadPoolExecutor(code.sandbox.workers))
        if programs:
            sandbox = self._owned.enter_context(open_sandbox(code))
            self._programs = CodeJudge(sandbox, code)

    def judge_all(self, kind: Kind, pairs: Sequence[tuple[Prompt, str]]) -> list[Verdict]:
        """A verdict for each prompt and completion, in order. Completions are free of end-of-text
        tokens."""
        return list(self._threads.map(lambda pair: self.judge(kind, *pair), pairs))

    def judge(self, kind: Kind, prompt: Prompt, completion_text: str) -> Verdict:
        if kind == "open":
            return _judge_open(prompt, completion_text)
        summary = summary_of(prompt.text, completion_text)
        if summary is None:
            # Nothing was followed, which counts for IFEval's accuracy by instruction.
            nothing = _judge_ifeval(prompt, "").instructions if kind == "instructions" else ()
            return Verdict(Outcome.NO_ANSWER, instructions=nothing)
        if kind == "math":
            return self._judge_math(prompt, summary)
        if kind == "program":
            return self._judge_program(prompt, summary)
        return (
            _judge_choice(prompt, summary) if kind == "choice" else _judge_ifeval(prompt, summary)
        )

    def close(self) -> None:
        self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _judge_math(self, prompt: Prompt, summary: str) -> Verdict:
        # The checker reads what follows the thinking, which is not there any more.
        verdict = self._math.check(END_THINK + summary, prompt.answer)
        return Verdict(verdict.outcome, verdict.extracted)

    def _judge_program(self, prompt: Prompt, summary: str) -> Verdict:
        """All tests must pass. Tests that cannot be run are the data's fault."""
        code = extract_code(summary)
        if code is None:
            return Verdict(Outcome.NO_ANSWER)
        record = json.loads(prompt.answer)
        try:
            task = read_task({**record, "code": record.get("prefix", "") + code}, self._code)
            return Verdict(CODE_OUTCOMES[self._programs.check(task).verdict])
        except TaskError:
            return Verdict(Outcome.UNPARSEABLE_GOLD)


def vote_key(kind: Kind, extracted: str) -> str:
    """Equal for answers that count as one in a vote: in mathematics numbers by value ("0.50" and
    "1/2") and other answers by their normalised spelling."""
    if kind != "math":
        return extracted
    text = normalise(extracted)
    number = exact_number(text)
    return same_spelling(text) if number is None else str(number)


def language_consistency(
    benchmark: Benchmark, prompt: Prompt, completion_text: str
) -> float | None:
    """The share of the thinking's words that are in the problem's language, as in the paper's
    language reward; None when there are too few words to tell."""
    target = prompt.metadata.get("language", benchmark.language)
    thinking, most = thinking_part(completion_text), RewardSettings().max_stripped_share
    return language_share(thinking, target, most, benchmark.min_language_words).share


def _judge_choice(prompt: Prompt, summary: str) -> Verdict:
    letter = chosen_letter(summary)
    if letter is None:
        return Verdict(Outcome.NO_ANSWER)
    return Verdict(Outcome.CORRECT if letter == prompt.answer else Outcome.WRONG, letter)


def _judge_open(prompt: Prompt, completion_text: str) -> Verdict:
    """By the nano world's own rule, which no reward model sees; good is what is worth more than
    half."""
    worth = true_value(GeneralPrompt(**cast(Any, prompt.metadata)), completion_text)
    return Verdict(Outcome.CORRECT if worth > 0.5 else Outcome.WRONG, worth=worth)


def _judge_ifeval(prompt: Prompt, summary: str) -> Verdict:
    """Strict: each instruction is checked on the summary as it is, and all must be followed."""
    followed = tuple(
        (each["name"], check_instruction(each["name"], each["arguments"], summary))
        for each in json.loads(prompt.answer)
    )
    right = all(good for _, good in followed)
    return Verdict(Outcome.CORRECT if right else Outcome.WRONG, instructions=followed)
