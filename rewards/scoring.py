"""From a completion to its score: the weighted sum of the reward's parts, each known by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from statistics import fmean
from threading import Lock
from typing import Any, Self, cast

from configs.errors import UserError
from configs.rewards import RewardSettings
from rewards.code.backend import open_sandbox
from rewards.code.completions import extract_code
from rewards.code.judge import CodeJudge
from rewards.code.tasks import TaskError, read_task
from rewards.code.verdicts import CodeVerdictKind
from rewards.format import format_reward, thinking_part
from rewards.language import SCRIPTS_OF, language_share
from rewards.math import MathChecker
from rewards.overlong import overlong_penalty
from rewards.preference import SET
from rewards.repetition import repetition_penalty
from rl.records import Completion, Outcome, Prompt, Score

CODE_OUTCOMES = {
    CodeVerdictKind.ACCEPTED: Outcome.CORRECT,
    CodeVerdictKind.WRONG_ANSWER: Outcome.WRONG,
    CodeVerdictKind.RUNTIME_ERROR: Outcome.RUNTIME_ERROR,
    CodeVerdictKind.TIME_LIMIT: Outcome.TIMEOUT,
    CodeVerdictKind.MEMORY_LIMIT: Outcome.MEMORY_LIMIT,
    CodeVerdictKind.OUTPUT_LIMIT: Outcome.OUTPUT_LIMIT,
    CodeVerdictKind.COMPILE_ERROR: Outcome.COMPILE_ERROR,
    CodeVerdictKind.SANDBOX_ERROR: Outcome.CHECKER_ERROR,
}
NO_VERDICT = (Outcome.UNPARSEABLE_GOLD, Outcome.CHECKER_ERROR)
"""The data set's or our own fault: such a completion gets no reward instead of a zero."""


class Scorer:
    """Scores the completions of a run. Owns the processes that the checks need, which close()
    ends; the sandbox starts with the first program. Safe to share between threads.

    Prompt.metadata: checker "code" makes Prompt.answer a JSON object of tests as in `launch score
    code`, "judge" makes it words that no rule compares, with any other the math checker compares
    it; language is the target of the language part.
    preference_set, of general prompts: there is no answer, and a reward model has the word.
    """

    def __init__(self, settings: RewardSettings) -> None:
        self._settings = settings
        self._owned = ExitStack()
        self._math = self._owned.enter_context(MathChecker(settings.math))
        self._threads = self._owned.enter_context(
            ThreadPoolExecutor(settings.code.sandbox.workers, thread_name_prefix="scorer")
        )
        self._judge: CodeJudge | None = None
        self._lock = Lock()

    def score_all(
        self, completions: Sequence[Completion], prompts: Mapping[str, Prompt], max_tokens: int
    ) -> list[Score]:
        """One score per completion, in order. max_tokens: the length cap they were sampled with."""

        def score(completion: Completion) -> Score:
            return self.score(prompts[completion.prompt_id], completion, max_tokens)

        return list(self._threads.map(score, completions))

    def score(self, prompt: Prompt, completion: Completion, max_tokens: int) -> Score:
        """R1-Zero's rule-based reward is accuracy + format (arXiv 2501.12948v2, eq. 4); the R1
        stages add the share of the target language (eq. 8). Other parts have weight 0 by default
        and are computed only with another one."""
        text_parts = self._text_parts(prompt, completion, max_tokens)
        if SET in prompt.metadata:
            # A reward model's part is still to come: rewards.preference.with_preferences.
            outcome, parts = Outcome.RATED, text_parts
        else:
            outcome, accuracy = self._accuracy(prompt, completion.text)
            parts = {"accuracy": accuracy, **text_parts}
        if outcome in NO_VERDICT:
            return Score(reward=None, outcome=outcome, parts=parts)
        settings = self._settings
        weights = {
            "accuracy": settings.accuracy,
            "format": settings.format,
            "language": settings.language,
            "repetition": settings.repetition,
            "overlong": settings.overlong,
        }
        reward = sum(weight * parts.get(name, 0.0) for name, weight in weights.items())
        return Score(reward=reward, outcome=outcome, parts=parts)

    def check_gold(self, prompt: Prompt) -> str | None:
        """What is wrong with a problem's own answer, which has to count as right; None: nothing."""
        language = prompt.metadata.get("language")
        if self._settings.language != 0.0 and language not in SCRIPTS_OF:
            return f"its language is {language!r}; reward.language knows {', '.join(SCRIPTS_OF)}"
        if SET in prompt.metadata or _is_judged(prompt):
            return None
        if not _is_code(prompt):
            verdict = self._math.check(prompt.answer, prompt.answer, is_answer=True)
            if verdict.outcome is Outcome.CORRECT:
                return None
            return f"its answer {prompt.answer[:80]!r} is {verdict.outcome} ({verdict.detail})"
        try:
            task = _code_fields(prompt)
            solution = task.get("solution")
            checked = read_task({**task, "code": solution or ""}, self._settings.code)
            if solution is None:
                return None
            verdict = self._code_judge().check(checked)
        except TaskError as error:
            return str(error)
        if verdict.verdict is CodeVerdictKind.ACCEPTED:
            return None
        return f"its own solution is {verdict.verdict} ({verdict.detail})"

    def _accuracy(self, prompt: Prompt, text: str) -> tuple[Outcome, float]:
        if _is_code(prompt):
            return self._code_accuracy(prompt, text)
        if _is_judged(prompt):
            return Outcome.UNPARSEABLE_GOLD, 0.0
        outcome = self._math.check(text, prompt.answer).outcome
        return outcome, float(outcome is Outcome.CORRECT)

    def _code_accuracy(self, prompt: Prompt, text: str) -> tuple[Outcome, float]:
        settings = self._settings.code
        try:
            fields = _code_fields(prompt)
            code = extract_code(text, fields.get("language", "python"))
            if code is None:
                return Outcome.NO_ANSWER, 0.0
            verdict = self._code_judge().check(read_task({**fields, "code": code}, settings))
        except TaskError:
            return Outcome.UNPARSEABLE_GOLD, 0.0
        reward = verdict.reward(all_or_nothing=settings.all_or_nothing)
        return CODE_OUTCOMES[verdict.verdict], reward or 0.0

    def _text_parts(
        self, prompt: Prompt, completion: Completion, max_tokens: int
    ) -> dict[str, float]:
        settings = self._settings
        parts = {
            "format": format_reward(
                prompt.text, completion.text, completion.finish_reason, settings.format_form
            )
        }
        if settings.language != 0.0:
            found = language_share(
                thinking_part(completion.text),
                prompt.metadata["language"],
                settings.max_stripped_share,
                settings.min_language_words,
            )
            if found.share is not None:
                parts["language"] = found.share
            parts["stripped_share"] = found.stripped_share
        if settings.repetition != 0.0:
            parts["repetition"] = repetition_penalty(completion.text, settings.repetition_ngram)
        if settings.overlong != 0.0:
            parts["overlong"] = overlong_penalty(
                len(completion.token_ids), max_tokens, settings.overlong_tokens
            )
        return parts

    def _code_judge(self) -> CodeJudge:
        with self._lock:
            if self._judge is None:
                sandbox = self._owned.enter_context(open_sandbox(self._settings.code))
                self._judge = CodeJudge(sandbox, self._settings.code)
            return self._judge

    def close(self) -> None:
        self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def with_neutral_language(scores: Sequence[Score], settings: RewardSettings) -> list[Score]:
    """The scores of one group, with the group's mean language share added to the reward of those
    that have too few words for one of their own: neither a reason to think nor not to."""
    judged = [score for score in scores if score.reward is not None]
    shares = [score.parts["language"] for score in judged if "language" in score.parts]
    if not shares:
        return list(scores)
    neutral = settings.language * fmean(shares)
    return [
        replace(score, reward=score.reward + neutral)
        if score.reward is not None and "language" not in score.parts
        else score
        for score in scores
    ]


def check_gold_answers(
    prompts: Sequence[Prompt], settings: RewardSettings, *, most: int = 64
) -> None:
    """Raises UserError when one of up to `most` problems, spread over all, has an answer that does
    not count as right: training on it could only mislead. Starts the sandbox if programs are to be
    judged, so that a machine without one is noticed here."""
    step = max(1, len(prompts) // most)
    with Scorer(settings) as scorer:
        for prompt in prompts[::step][:most]:
            problem = scorer.check_gold(prompt)
            if problem is not None:
                raise UserError(
                    f"data: the problem {prompt.id} cannot be scored: {problem}; mend the row or "
                    "leave it out"
                )


def _is_code(prompt: Prompt) -> bool:
    return prompt.metadata.get("checker") == "code"


def _is_judged(prompt: Prompt) -> bool:
    return prompt.metadata.get("checker") == "judge"


def _code_fields(prompt: Prompt) -> dict[str, Any]:
    """The fields of a programming problem. Raises TaskError."""
    try:
        fields = json.loads(prompt.answer)
    except json.JSONDecodeError as error:
        raise TaskError(f"tests: not JSON ({error.msg})") from error
    if not isinstance(fields, dict):
        raise TaskError("tests: not a JSON object")
    return cast(dict[str, Any], fields)
