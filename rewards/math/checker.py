"""The accuracy reward for mathematics, stage by stage: cheap and certain before costly.

extract -> cap -> normalise -> same spelling -> structure and exact values -> Math-Verify
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType

from configs.rewards import MathSettings
from rewards.math.comparison import same_answer
from rewards.math.evaluation import TooLarge, Undefined
from rewards.math.expression import Unreadable, parse
from rewards.math.extraction import box_run, find_boxes, from_answer, from_completion
from rewards.math.guards import MAX_CHARACTERS, balanced, refuse_bombs, refuse_deep
from rewards.math.normalise import normalise, same_spelling
from rewards.math.numbers import exact_number, read_number
from rewards.math.symbolic import (
    Budget,
    OutOfLimits,
    SymbolicWorker,
    UnreadableGold,
    WorkerUnavailable,
)
from rewards.math.values import exact_value
from rewards.math.words import choice, choices, is_choice
from rl.records import Outcome

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MathVerdict:
    """What a check found.

    MathVerdict(outcome=Outcome.CORRECT, extracted="\\\\frac{1}{2}", detail="", seconds=0.0002)
    """

    outcome: Outcome
    extracted: str | None
    """The answer found in the prediction, as written there."""
    detail: str
    """Why, where the outcome does not say it all."""
    seconds: float


class MathChecker:
    """Compares answers with gold answers. Safe to share between threads; every process that uses
    one has its own Math-Verify worker, which the first answer that needs it starts."""

    def __init__(self, settings: MathSettings = MathSettings()) -> None:
        self._settings = settings
        self._worker = SymbolicWorker(settings.memory_mb)
        self._decide = lru_cache(settings.cache_size)(self._compare)

    def check(self, prediction: str, gold: str, *, is_answer: bool = False) -> MathVerdict:
        """Whether the prediction gives the gold answer.

        is_answer: the prediction is the answer alone, not a completion with its thinking.
        Never raises for anything that a model or a data set can write.
        """
        start = time.perf_counter()
        outcome, extracted, detail = self._check(prediction, gold, is_answer)
        return MathVerdict(outcome, extracted, detail, time.perf_counter() - start)

    def _check(
        self, prediction: str, gold: str, is_answer: bool
    ) -> tuple[Outcome, str | None, str]:
        gold_text, problem = _read_gold(gold)
        if gold_text is None:
            return Outcome.UNPARSEABLE_GOLD, None, problem
        extracted = (from_answer if is_answer else from_completion)(prediction)
        if extracted is None:
            return Outcome.NO_ANSWER, None, ""
        if len(extracted) > MAX_CHARACTERS:
            detail = f"an answer of {len(extracted)} characters; at most {MAX_CHARACTERS} are read"
            return Outcome.WRONG, extracted[:MAX_CHARACTERS], detail
        value = read_number(extracted)
        if value is not None and value == exact_number(gold_text):
            return Outcome.CORRECT, extracted, ""
        try:
            outcome, detail = self._decide(gold_text, normalise(extracted))
            run = None if is_answer else _boxes_together(prediction)
            if outcome is Outcome.WRONG and run is not None:
                several, _ = self._decide(gold_text, normalise(run))
                if several is Outcome.CORRECT:
                    return several, run, ""
        except WorkerUnavailable as error:
            return Outcome.CHECKER_ERROR, extracted, str(error)
        return outcome, extracted, detail

    def _compare(self, gold: str, answer: str) -> tuple[Outcome, str]:
        """Of two normalised texts."""
        if same_spelling(gold) == same_spelling(answer):
            return Outcome.CORRECT, ""
        if not answer:
            return Outcome.WRONG, "the answer is empty"
        letter = choice(gold)
        if letter is not None:
            return _outcome(is_choice(answer, letter)), f"choice {letter}"
        letters = choices(gold)
        if letters is not None:
            return _outcome(choices(answer) == letters), f"choices {', '.join(sorted(letters))}"
        return self._compare_structure(gold, answer)

    def _compare_structure(self, gold: str, answer: str) -> tuple[Outcome, str]:
        budget = Budget(self._settings.timeout_s)

        def symbolic(gold: str, answer: str) -> bool:
            refuse_bombs(gold, answer)
            if not balanced(answer):
                return False
            return self._worker.same(gold, answer, budget)

        try:
            refuse_deep(gold, answer)
            return _outcome(same_answer(gold, answer, self._settings, symbolic)), ""
        except TooLarge as error:
            return Outcome.WRONG, f"not evaluated: {error}"
        except OutOfLimits as error:
            return Outcome.TIMEOUT, str(error)
        except UnreadableGold:
            return Outcome.UNPARSEABLE_GOLD, "no grammar reads the gold answer"
        except WorkerUnavailable:
            raise
        except Exception as error:  # a model's answer must not end its training
            LOGGER.exception("a defect of the checker: %r against gold %r", answer, gold)
            return Outcome.WRONG, f"the checker failed: {type(error).__name__}: {error}"

    def close(self) -> None:
        """Ends the worker processes. A later check starts new ones."""
        self._worker.close()

    def __enter__(self) -> MathChecker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[MathChecker], tuple[MathSettings]]:
        return MathChecker, (self._settings,)


def _outcome(same: bool) -> Outcome:
    return Outcome.CORRECT if same else Outcome.WRONG


@lru_cache(maxsize=4096)
def _read_gold(gold: str) -> tuple[str | None, str]:
    """The normalised gold answer, or None and what is wrong with it."""
    if not find_boxes(gold):
        gold = gold.rpartition("\\boxed{")[2]  # a box that the data set never closed
    answer = from_answer(gold)
    if answer is None or not answer.strip():
        return None, "the gold answer is empty"
    if len(answer) > MAX_CHARACTERS:
        return None, f"the gold answer has more than {MAX_CHARACTERS} characters"
    text = normalise(answer)
    if re.search(r"\w", text) is None and "{" not in text:
        return None, "the gold answer has neither digits nor letters"
    if not balanced(text):
        return None, "a brace of the gold answer is not closed"
    if re.fullmatch(r"[\d .]+", text) and exact_number(text) is None:
        return None, "the gold answer is more than one number"
    try:
        exact_value(parse(text))
    except Undefined as error:
        return None, f"the gold answer has no value: {error}"
    except (Unreadable, TooLarge):
        pass  # not plain arithmetic, or too large to compare with anything but itself
    return text, ""


def _boxes_together(completion: str) -> str | None:
    """The last boxes that belong to one answer, when they are several."""
    tail = completion.rpartition("</think>")[2]
    if "<answer>" in tail or len(find_boxes(tail)) < 2:
        return None
    run = box_run(tail)
    return None if run is None or len(run) > MAX_CHARACTERS else run
