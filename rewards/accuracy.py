"""The accuracy reward for answers that are numbers: extract, then compare exactly.

Nothing that a model wrote is ever evaluated: numbers are read by a fixed grammar into fractions.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from rewards.format import ANSWER, END_ANSWER, END_THINK, Tag, scan_tags
from rl.records import Outcome

MAX_ANSWER_CHARACTERS = 1000
"""Longer answers are not read: int() takes quadratic time in the number of digits."""

BOX = "\\boxed{"
# Possessive quantifiers never give characters back, so matching takes linear time.
NUMBER = re.compile(
    r"(?P<sign>[+-]?+)(?P<whole>[0-9]{1,3}+(?:,[0-9]{3})++|[0-9]++)?+"
    r"(?:\.(?P<decimals>[0-9]++))?+(?:/(?P<denominator>[0-9]++))?+"
)


def accuracy_outcome(completion_text: str, gold: str) -> Outcome:
    """Whether the completion's answer is the gold answer.

    accuracy_outcome("<think>3+4=7</think><answer>7</answer>", "7") == Outcome.CORRECT
    """
    gold_value = read_number(gold)
    if gold_value is None:
        return Outcome.UNPARSEABLE_GOLD
    answer = extract_answer(completion_text)
    if answer is None:
        return Outcome.NO_ANSWER
    return Outcome.CORRECT if read_number(answer) == gold_value else Outcome.WRONG


def extract_answer(text: str) -> str | None:
    """What is offered as the answer after the last </think>: inside the one <answer> block if
    there is any answer tag, else inside the last \\boxed{}; None when there is neither."""
    tags = list(scan_tags(text))
    closing = [i for i, tag in enumerate(tags) if tag.name == END_THINK]
    if not closing:
        return None
    tail = text[tags[closing[-1]].end :]
    answer_tags = tags[closing[-1] + 1 :]
    if any(tag.name in (ANSWER, END_ANSWER) for tag in answer_tags):
        answer = _inside_only_block(text, answer_tags)
    else:
        answer = last_boxed(tail)
    if answer is None:
        return None
    boxed = last_boxed(answer)
    return (answer if boxed is None else boxed).strip() or None


def _inside_only_block(text: str, tags: list[Tag]) -> str | None:
    """The content of <answer>...</answer> when these two are all the tags. Several answers are
    none: a policy must not score by listing guesses."""
    if [tag.name for tag in tags] != [ANSWER, END_ANSWER]:
        return None
    return text[tags[0].end : tags[1].start]


def last_boxed(text: str) -> str | None:
    """The content of the last \\boxed{...} whose braces balance; for nested boxes, the innermost.

    Reads the text once from the right: depth counts the braces closed and not yet opened.
    """
    closings: list[int] = []
    for i in range(len(text) - 1, -1, -1):
        if text[i] == "}":
            closings.append(i)
        elif text[i] == "{" and closings:
            end = closings.pop()
            if text[max(0, i - len(BOX) + 1) : i + 1] == BOX:
                return text[i + 1 : end]
    return None


def read_number(text: str) -> Fraction | None:
    """The exact value of "-1,234.50", "3/4", "$18", "１２" or "12."; None for anything else."""
    if len(text) > MAX_ANSWER_CHARACTERS:
        return None
    # NFKC turns full-width digits into ASCII ones; U+2212 is the mathematical minus sign.
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()
    text = text.removeprefix("$").removesuffix("$").removesuffix(".").strip()
    match = NUMBER.fullmatch(text)
    if match is None or not (match["whole"] or match["decimals"]):
        return None
    whole, decimals = (match["whole"] or "0").replace(",", ""), match["decimals"] or ""
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    if match["denominator"] is not None:
        denominator = int(match["denominator"])
        if denominator == 0:
            return None
        value /= denominator
    return -value if match["sign"] == "-" else value
