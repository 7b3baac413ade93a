"""Finding the program in what a model wrote."""

from __future__ import annotations

import re

# Possessive quantifiers never give characters back, so matching takes linear time.
FENCE = re.compile(r"[ ]{0,3}(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^`\n]*+")

LABELS = {
    "python": {"python", "py", "python3"},
    "c": {"c"},
    "cpp": {"cpp", "c++", "cc", "cxx"},
}
"""How fences name a language."""


def extract_code(completion: str, language: str = "python") -> str | None:
    """The last closed fenced block after the last </think> that is labelled as the language, or
    where there is none, the last one without a label. None when there is neither. Linear in the
    text.

    extract_code("<think>hm</think>So:\\n```python\\nprint(1)\\n```") == "print(1)\\n"
    """
    allowed = {"", *LABELS.get(language, {language})}
    found: dict[bool, str] = {}  # by whether it is labelled
    fence, label, block = "", "", list[str]()
    for line in completion.rpartition("</think>")[2].splitlines(keepends=True):
        mark = FENCE.fullmatch(line.rstrip())
        if not fence:
            if mark:
                fence, label, block = mark[1], mark[2].lower(), []
        elif mark and not mark[2] and mark[1].startswith(fence):
            if label in allowed and "".join(block).strip():
                found[label != ""] = "".join(block)
            fence = ""
        else:
            block.append(line)
    return found.get(True, found.get(False))
