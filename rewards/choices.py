"""Which letter an answer to a multiple-choice question gives."""

from __future__ import annotations

import re

from rewards.math.extraction import find_boxes

# "Answer: B", "**Answer:** (B)", '"answer": "B"', "答案：B"; a sentence may go on after a colon,
# but "Answer: I think C" states no I. "The answer is option B." must end there, or "the answer is
# A common one" would be read as A. Possessive quantifiers never give characters back, so matching
# takes linear time.
_IS = r"(?:\s++is|是|为)"
_OPENING = (
    r"[\"'*$(（\[\s]*+(?:(?i:option|choice)[*$(（\s]++|选项\s*+)?+"
    r"(?:\\(?:text|textbf|mathrm|mathbf)\{\(?+)?+"
)
_STATED = re.compile(
    r"(?:(?i:answer)|答案)(?:"
    rf"{_IS}?+[\"'*]*+\s*+[:：]{_OPENING}(?P<colon>[A-HJ-Z]|I(?!['’]|\s[a-z]))(?![A-Za-z0-9])"
    rf"|{_IS}{_OPENING}(?P<plain>[A-Z])(?=[\"'*$)）\]}}]*+\s*+(?:[.,;。，；)]|$))"
    r")",
    re.MULTILINE,
)
# "B", "(B)", "\\text{B}", "B. blue"; not the "A" of "A dog".
_BOXED = re.compile(
    r"[\s($]*+(?:\\(?:text|textbf|mathrm|mathbf)\{)?+\(?+([A-Z])(?:[)}$.:\s]*+|[).:}]++\s.*+)",
    re.DOTALL,
)


def chosen_letter(text: str) -> str | None:
    """The letter in the last box, else that of the last stated answer; None without any.

    chosen_letter("so 2+2=4.\\nAnswer: C") == "C"
    """
    boxes = find_boxes(text)
    boxed = _BOXED.fullmatch(boxes[-1].content(text)) if boxes else None
    if boxed is not None:
        return boxed[1]
    stated = [match["colon"] or match["plain"] for match in _STATED.finditer(text)]
    return stated[-1] if stated else None
