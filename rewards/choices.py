"""Which letter an answer to a multiple-choice question gives."""

from __future__ import annotations

import re

from rewards.math.extraction import find_boxes

# "Answer: B", "**Answer:** (B)", '"answer": "B"', "答案：B"; after a colon a sentence may go on.
# "The answer is B." must end there, or "the answer is A common one" would be read as A.
# Possessive quantifiers never give characters back, so matching takes linear time.
_STATED = re.compile(
    r"(?:(?i:answer)|答案)(?:"
    r"[\"'*]*+\s*+[:：][\"'*$(（\[\s]*+(?P<colon>[A-Z])(?![A-Za-z0-9])"
    r"|(?:\s++is|是|为)[\"'*$(（\[\s]*+(?P<plain>[A-Z])(?=[\"'*$)）\]]*+\s*+(?:[.,;。，；)]|$))"
    r")",
    re.MULTILINE,
)
# "B", "(B)", "\\text{B}", "B. blue"; not the "A" of "A dog".
_BOXED = re.compile(
    r"[\s($]*+(?:\\(?:text|textbf|mathrm|mathbf)\{)?+\(?+([A-Z])(?:[)}$.:\s]*+|[).:}]++\s.*+)",
    re.DOTALL,
)


def chosen_letter(text: str) -> str | None:
    """The letter of the last stated answer, else that of the last box; None without any.

    chosen_letter("so 2+2=4.\\nAnswer: C") == "C"
    """
    stated = [match["colon"] or match["plain"] for match in _STATED.finditer(text)]
    if stated:
        return stated[-1]
    boxes = find_boxes(text)
    found = _BOXED.fullmatch(boxes[-1].content(text)) if boxes else None
    return None if found is None else found[1]
