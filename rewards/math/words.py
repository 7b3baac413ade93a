"""Answers that are words: choice letters, names, "no solution". They never reach sympy, which
would read Friday as the product d a f i r y."""

from __future__ import annotations

import re

_CHOICE = re.compile(r"\(?([A-J])\)?\.?")
_CHOSEN = re.compile(
    r"(?:(?:option|choice|answer|选项?|选择)\s*:?\s*)?[(\[【]?\s*([A-Ja-j])\s*"
    r"(?P<rest>[)\]】.:,].*)?$",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    r"^,\s*\(?[A-J](?![A-Za-z])|\([A-J]\)|(?<![A-Za-z])[A-J][.):]"
    r"|(?:^\W*|\bor|\band|[,;/&和或])\s*[A-J]\W*$"
)
"""A second choice after the first one; a lone capital within the option's text is none."""
_SEVERAL = re.compile(r"\(?[A-J]\)?(?:\s*(?:,|;|和|and|&)?\s*\(?[A-J]\)?)+")
_TEXT_COMMAND = re.compile(r"\\(?:text|mathrm|operatorname)\s*\{([^{}]*)\}")
_FILLER = re.compile(r"^(?:(?:it|he|she|they|there|this|that) (?:is|are)|on|the|an?|in|at)\s+")

_SAME = {
    **dict.fromkeys(
        (
            *("no solution", "no solutions", "no real solution", "no real solutions"),
            *("no solution exists", "there is no solution", "there are no solutions", "empty set"),
            *("the empty set", "none", "\\emptyset", "\\{\\}", "{}", "无解", "无实数解", "空集"),
            *("no real roots", "no such numbers exist"),
        ),
        "no solution",
    ),
    **dict.fromkeys(("dne", "does not exist", "undefined", "不存在"), "does not exist"),
    **dict.fromkeys(("all real numbers", "all reals", "任意实数", "全体实数"), "\\mathbb{r}"),
    **dict.fromkeys(("infinitely many", "infinitely many solutions", "无数个"), "infinitely many"),
    **dict.fromkeys(("yes", "是"), "yes"),
    **dict.fromkeys(("no", "否", "不是"), "no"),
    **dict.fromkeys(("true", "正确", "对"), "true"),
    **dict.fromkeys(("false", "错误", "错"), "false"),
}


def choice(gold: str) -> str | None:
    """The letter, when the gold answer is one of A to J: "B", "(B)", "\\\\text{(B)}"."""
    match = _CHOICE.fullmatch(without_commands(gold))
    return None if match is None else match[1]


def is_choice(answer: str, letter: str) -> bool:
    """Whether an answer names this letter and no other: "B", "(b)", "B. 12", "选B"."""
    match = _CHOSEN.match(without_commands(answer))
    if match is None or match[1].upper() != letter:
        return False
    return _ANOTHER.search(match["rest"] or "") is None


def choices(text: str) -> frozenset[str] | None:
    """The letters of an answer to a question with several right ones: "A, C", "ACD"."""
    text = without_commands(text)
    if _SEVERAL.fullmatch(text) is None:
        return None
    return frozenset(re.findall(r"[A-J]", text))


def words(text: str) -> str | None:
    """A key for an answer that consists of words; None when it is mathematics.

    words("\\\\text{On Friday.}") == words("friday") == "friday"
    """
    known = _SAME.get(plain(text))
    if known is not None:
        return known
    if re.search(r"[\d=<>^_|+*/]|\\(?!text|mathrm|operatorname|%)", text):
        return None
    key = plain(text)
    if re.search(r"[a-z]{2}|[\u4e00-\u9fff]", key) is None:
        return None
    if re.fullmatch(r"[A-Za-z]{1,3}", text):  # xy may well be a product
        return None
    return key


def plain(text: str) -> str:
    """Lower case, without commands, articles and punctuation at the ends."""
    text = without_commands(text).casefold().strip().strip(".,;:!?\"'“”‘’ ")
    text = re.sub(r"\s+", " ", text)
    return text if text in _SAME else _FILLER.sub("", text)


def without_commands(text: str) -> str:
    """\\text{(B)} becomes (B)."""
    previous = None
    while previous != text:
        previous, text = text, _TEXT_COMMAND.sub(r"\1", text)
    return text.strip()
