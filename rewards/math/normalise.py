"""One spelling for what is written in many: Unicode, LaTeX dressing, Chinese punctuation.

normalise("\\\\dfrac{1}{2}．") == "\\\\frac{1}{2}"; normalise("１０，５００ 元") == "10,500 元"
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_UNICODE = {
    "−": "-",
    "–": "-",
    "—": "-",
    "×": r"\times ",
    "·": r"\cdot ",
    "⋅": r"\cdot ",
    "∙": r"\cdot ",
    "÷": "/",
    "⁄": "/",
    "∕": "/",
    "π": r"\pi ",
    "∞": r"\infty ",
    "√": r"\sqrt ",
    "≤": r"\le ",
    "⩽": r"\le ",
    "≥": r"\ge ",
    "⩾": r"\ge ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "±": r"\pm ",
    "∓": r"\mp ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∈": r"\in ",
    "∅": r"\emptyset ",
    "°": r"^\circ ",
    "℃": r"\text{°C}",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}",
    "∖": r"\setminus ",
    "。": ".",
    "、": ",",
    "−∞": r"-\infty ",
    "%": r"\%",
}
_GREEK = {chr(code): unicodedata.name(chr(code)).split()[-1].lower() for code in range(945, 970)}
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ"
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"

_COMMANDS = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), "frac"),
    **dict.fromkeys(("dbinom", "tbinom"), "binom"),
    **dict.fromkeys(("leq", "leqslant", "le"), "le"),
    **dict.fromkeys(("geq", "geqslant", "ge"), "ge"),
    **dict.fromkeys(("neq", "ne"), "ne"),
    **dict.fromkeys(("varnothing", "emptyset"), "emptyset"),
    **dict.fromkeys(("mbox", "textbf", "textit", "textrm", "textnormal", "textsf"), "text"),
    **dict.fromkeys(("texttt", "hbox", "rm", "textmd"), "text"),
    **dict.fromkeys(("mathrm", "mathit", "mathbf", "mathsf", "boldsymbol", "bm"), "mathrm"),
    **dict.fromkeys(("operatorname", "mathop"), "operatorname"),
    **dict.fromkeys(("bigcup", "cup"), "cup"),
    **dict.fromkeys(("thickapprox", "simeq", "approx"), "approx"),
    **dict.fromkeys(("degree", "degrees"), "circ_"),
    **dict.fromkeys(("varepsilon", "epsilon"), "epsilon"),
    **dict.fromkeys(("backslash", "setminus"), "setminus"),
    **dict.fromkeys(("lbrace",), "{"),
    **dict.fromkeys(("rbrace",), "}"),
    **dict.fromkeys(("langle", "lparen"), "("),
    **dict.fromkeys(("lbrack",), "["),
    **dict.fromkeys(("rbrack",), "]"),
    **dict.fromkeys(("lvert", "rvert", "vert", "mid"), "|"),
}
_SPACE = ("quad", "qquad", "thinspace", "enspace", "hspace", "displaystyle", "textstyle", "limits")
_SIZES = ("left", "right", "mleft", "mright", "big", "Big", "bigg", "Bigg", "bigl", "bigr")
_SIZES_MORE = ("Bigl", "Bigr", "biggl", "biggr", "Biggl", "Biggr", "middle")
_DROPPED = {*_SPACE, *_SIZES, *_SIZES_MORE}

_DOUBLED = re.compile(r"\\\\(?=[A-Za-z]{2})")
_ARRAY = r"(?:\[|\()?\s*\\begin\{array\}\s*\{[lcr|\s]*\}(.*?)\\end\{array\}\s*(?:\]|\))?"
_PLAIN_FUNCTION = (
    r"(?<![\\A-Za-z])(sqrt|arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|ln|log|exp"
    r"|pi|infty|infinity|cup|union)(?![A-Za-z])"
)
_PLAIN_NAMES = {"infinity": "infty", "union": "cup"}
_LEADING = r"(?i)^(?:(?:(?:the )?(?:final )?answer(?: is|:)|答案(?:是|为|:)|所以|因此|即)\s*)+"


def _command(match: re.Match[str]) -> str:
    return f"\\{_PLAIN_NAMES.get(match[1], match[1])} "


def _rename(match: re.Match[str]) -> str:
    name = match[1]
    if name in _DROPPED:
        return " "
    new = _COMMANDS.get(name, name)
    if new in "([|":
        return new
    if name in ("rangle", "rparen"):
        return ")"
    return f"\\{new}"


_Replacement = str | Callable[[re.Match[str]], str]
_TABLE: tuple[tuple[str, _Replacement], ...] = (
    (r"\\q?quad", " "),
    (r"\\\$|\$|(?<!\\)\\[()\[\]]|\*\*", " "),
    (r"^\s+", ""),
    (_LEADING, ""),
    (r"(?<=\d)\s*\{\s*,\s*\}\s*(?=\d)|(?<=\d),\\!\s*(?=\d)", ","),
    (r"(?<=\d)\\[,;:! ](?=\d{3}(?!\d))", ","),
    (r"(?<!\\)\\[,;:! >]|~", " "),
    (r"\\([A-Za-z]+)(?![A-Za-z])", _rename),
    (r"(?<=[A-Za-z])\\(?:mathrm|text|operatorname)\s*\{\s*([eid])\s*\}", r" \1"),
    (r"\\(?:mathrm|text|operatorname)\s*\{\s*([eid])\s*\}", r"\1"),
    (r"\^\s*(?:\\circ_?(?![A-Za-z])|\{\s*\\circ_?\s*\})|\\circ_", r"^{\\circ}"),
    (r"(?<!\\)%", r"\\%"),
    (r"<=", r"\\le "),
    (r">=", r"\\ge "),
    (r"!=", r"\\ne "),
    (r"\\lt(?![A-Za-z])", "<"),
    (r"\\gt(?![A-Za-z])", ">"),
    (_PLAIN_FUNCTION, _command),
    (_ARRAY, r"\\begin{pmatrix}\1\\end{pmatrix}"),
    (r"\\(begin|end)\{(?:bmatrix|matrix|smallmatrix)\}", r"\\\1{pmatrix}"),
    (r"\[\s*(\\begin\{pmatrix\}.*\\end\{pmatrix\})\s*\]", r"\1"),
    (r"\s+", " "),
)
_REWRITES = tuple((re.compile(pattern), replacement) for pattern, replacement in _TABLE)


def normalise(text: str) -> str:
    """The canonical spelling; idempotent. Linear in the length of the text."""
    text = _plain_unicode(text)
    if "\\begin" not in text:  # where "\\" ends a row
        text = _DOUBLED.sub(r"\\", text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return _without_final_stop(text.strip())


def same_spelling(text: str) -> str:
    """A key under which two normalised texts that differ in spacing only are equal. Spaces between
    two letters or digits count: "1 2" is not "12"."""
    text = re.sub(r"\s*([^\w\s\\])\s*", r"\1", text)
    return re.sub(r"(\\[A-Za-z]+) +(?![A-Za-z])", r"\1", text)


def _plain_unicode(text: str) -> str:
    text = re.sub(f"[{_SUPERSCRIPTS}]+", _as_script("^"), text)
    text = re.sub(f"[{_SUBSCRIPTS}]+", _as_script("_"), text)
    pieces: list[str] = []
    for character in text:
        if character in _UNICODE and character != "%":
            pieces.append(_UNICODE[character])
        elif character in _GREEK:
            pieces.append(f"\\{_GREEK[character]} ")
        elif "FRACTION" in unicodedata.name(character, "") and character not in "⁄∕":
            above, _, below = unicodedata.normalize("NFKC", character).partition("⁄")
            pieces.append(f"\\frac{{{above}}}{{{below}}}" if below else character)
        else:
            pieces.append(unicodedata.normalize("NFKC", character))
    return "".join(pieces)


def _as_script(mark: str) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        inner = unicodedata.normalize("NFKC", match.group()).replace("−", "-")
        return f"{mark}{{{inner}}}"

    return replace


def _without_final_stop(text: str) -> str:
    while text and text[-1] in ".,;:" and not text.endswith("\\,"):
        text = text[:-1].rstrip()
    return text
