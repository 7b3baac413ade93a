"""Where the answer stands in a text. Nothing here reads mathematics; every scan is linear.

completion   ... </think> ... <answer>...</answer>  |  \\boxed{...}  |  "The answer is ..."
bare answer  the same, without the thinking; otherwise the text itself
"""

from __future__ import annotations

import re

from rewards.format import ANSWER, END_ANSWER, END_THINK, Tag, scan_tags

BOX = "\\boxed{"
MAX_BOX_GAP = 70
"""Boxes further apart than this many characters do not belong to one answer."""

_CONNECTOR = re.compile(r"\b(?:and|or)\b|,|;|和|或|、")
# Possessive quantifiers never give characters back, so matching takes linear time.
_MARKER = re.compile(
    r"####|(?:final\s++)?+answer(?:\s++is\b|\s*+:)(?:\s*+:)?+|答案(?:应该|应)?+(?:是|为|：|:)",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(r"<\|[^|<>]{1,40}+\|>.*+|\bI hope (?:it|this) is correct\b.*+", re.DOTALL)
_ENVIRONMENT = re.compile(
    r"\$\$(?P<a>(?:[^$]|\\\$)++)\$\$|(?<![\\\d])\$(?P<b>(?:[^$\n\\]|\\.)++)\$"
    r"|\\\[(?P<c>(?:[^\\]|\\(?!\]))++)\\\]|\\\((?P<d>(?:[^\\\n]|\\(?!\)))++)\\\)"
)
_NUMBER = (
    r"-?+[$€£¥]?+(?:[0-9]{1,3}+(?:,[0-9]{3})++|[0-9]++)(?:[.,][0-9]++)?+(?:/[0-9]++)?+"
    r"(?:\s?%)?+(?:\s?[$€£¥])?+"
)
_STATED = re.compile(rf"(?:\b(?:is|are|be|by|equals|it's)\s*+|[=:]\s*+)(?P<n>{_NUMBER})[^0-9=]*+$")
_ANY_NUMBER = re.compile(rf"(?<![\w.,/-])(?P<n>{_NUMBER})(?![\w/])")
_NEGATION = re.compile(r"\bnot\b|n't\b|\bexcept\b|\bor\b|\band\b", re.IGNORECASE)
_PERCENT_AFTER = re.compile(r"[\s$)\]]*+(?:\\[)\]])?+\s*+(?:\\?%|percent\b|percentage\b|pct\b)")
_UNIT_TAIL = re.compile(r"\s*+(?:\\?%|[A-Za-z²³/]++)(?:\s++[A-Za-z]++)?+\s*+[.]?+\s*+")


def from_completion(text: str) -> str | None:
    """What a completion offers as its answer after the last </think>: inside the one <answer>
    block if there is any answer tag, else the last box, else what follows "The answer is".

    None without an answer, without </think>, or with several <answer> blocks: a policy must not
    score by listing guesses.
    """
    tags = list(scan_tags(text))
    closing = [i for i, tag in enumerate(tags) if tag.name == END_THINK]
    if not closing:
        return None
    tail = text[tags[closing[-1]].end :]
    answer_tags = tags[closing[-1] + 1 :]
    if any(tag.name in (ANSWER, END_ANSWER) for tag in answer_tags):
        inside = _inside_only_block(text, answer_tags)
        return None if inside is None else from_answer(inside)
    boxes = find_boxes(tail)
    if boxes:
        return box_run(tail[boxes[-1][0] - len(BOX) :])
    return _after_marker(tail)


def from_answer(text: str) -> str | None:
    """The answer in a text that is one, or that ends in one ("so $x$ is \\boxed{5}")."""
    boxes = find_boxes(text)
    marked = _after_marker(text[boxes[-1][1] :] if boxes else text)
    if marked is not None:
        return marked
    run = box_run(text)
    if run is not None:
        return run.strip() or None
    return _stated(_SIGN_OFF.sub("", text).strip()) or None


def box_run(text: str) -> str | None:
    """The contents of the last boxes that belong together, separated by commas.

    box_run("\\\\boxed{1} and \\\\boxed{-2}") == "1,-2"; None without any box.
    """
    boxes = find_boxes(text)
    if not boxes:
        return None
    run = [boxes[-1]]
    for start, end in reversed(boxes[:-1]):
        between = text[end + 1 : run[-1][0] - len(BOX)]
        bare = re.sub(r"\\[a-zA-Z]+|[\s\\$()\[\]]", "", between)
        joined = re.search(r"[\w=]", bare) is None or (
            len(between) < MAX_BOX_GAP and _CONNECTOR.search(between)
        )
        repeated = text[start:end].strip() == text[slice(*run[-1])].strip()
        if not joined or repeated:
            break
        run.append((start, end))
    contents = ",".join(text[start:end].strip() for start, end in reversed(run))
    percent = _PERCENT_AFTER.match(text, boxes[-1][1] + 1)
    return f"{contents}\\%" if percent is not None else contents


def find_boxes(text: str) -> list[tuple[int, int]]:
    """Start and end of the content of every balanced \\boxed{...}, in order; for nested ones, of
    the innermost."""
    found: list[tuple[int, int]] = []
    openings: list[tuple[int, bool]] = []
    for match in re.finditer(r"\\boxed\s*+\{|[{}]", text):
        if match.group() != "}":
            openings.append((match.end(), match.group() != "{"))
        elif openings:
            start, is_box = openings.pop()
            if is_box and not (found and found[-1][0] > start):
                found.append((start, match.start()))
    return found


def _inside_only_block(text: str, tags: list[Tag]) -> str | None:
    """The content of <answer>...</answer> when these two are all the tags."""
    if [tag.name for tag in tags] != [ANSWER, END_ANSWER]:
        return None
    return text[tags[0].end : tags[1].start]


def _after_marker(text: str) -> str | None:
    """What follows the last "####", "Answer:", "the answer is" or "答案是", up to the line's end
    or the polite phrase that closes it."""
    last = None
    for last in _MARKER.finditer(text):
        pass
    if last is None:
        return None
    rest = _SIGN_OFF.sub("", text[last.end() :]).strip().strip("*").strip()
    rest = re.split(r"\.\s+(?=[A-Z])", rest, maxsplit=1)[0]
    rest = rest if _ENVIRONMENT.match(rest) else rest.partition("\n")[0]
    return _stated(rest.strip().removesuffix(".")) or None


def _stated(text: str) -> str:
    """The formula or number that a sentence states; the text itself when it is no sentence."""
    formulas = list(_ENVIRONMENT.finditer(text))
    if formulas:
        return _last_formulas(text, formulas)
    if len(re.findall(r"(?<![\\A-Za-z])[A-Za-z]{2,}", text)) < 2 and not re.match(
        r"[A-Z][a-z]{2,} *:", text
    ):
        return text
    stated = _STATED.search(text)
    if stated is not None:
        return stated["n"]
    sentence = re.split(r"(?<=[.!?])\s+", text.strip())[-1]
    numbers = _ANY_NUMBER.findall(sentence)
    is_statement = re.match(r"[A-Z][a-z]", sentence) or ":" in sentence
    if len(numbers) == 1 and is_statement and not _NEGATION.search(sentence):
        return numbers[0]
    return text


def _last_formulas(text: str, formulas: list[re.Match[str]]) -> str:
    """The last formulas that only "and", "or" or a comma separate, with the unit after them."""
    run = [formulas[-1]]
    for formula in reversed(formulas[:-1]):
        between = text[formula.end() : run[-1].start()].strip()
        if between.strip(",;、 ") not in ("", "and", "or", "和", "或"):
            break
        run.append(formula)
    head, tail = text[: run[-1].start()], text[run[0].end() :]
    stated = _STATED.search(tail)
    if stated is not None:
        return stated["n"]
    formula = " , ".join((m["a"] or m["b"] or m["c"] or m["d"]).strip() for m in reversed(run))
    is_unit = not head.strip() and _UNIT_TAIL.fullmatch(tail)
    return f"{formula} {tail.strip()}" if is_unit else formula
