"""One HTML document out of the files of this folder, and data that cannot break out of it.

Three fences, each enough by itself: the page puts texts only into text nodes; the data has no
"<" left that could end its element; and the content security policy lets nothing run but the
one script and the one style whose hashes it names, and forbids turning strings into markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SCRIPTS = (
    "dom.js",
    "address.js",
    "scales.js",
    "chart.js",
    "curves.js",
    "overview.js",
    "filters.js",
    "group.js",
    "list.js",
    "browser.js",
    "main.js",
)
"""In the order in which they run. They share one scope: constants must be there before use."""
HOLE = re.compile(r"\{\{(\w+)\}\}")


def document(title: str, data: Mapping[str, Any], *, live: bool) -> str:
    """The whole page. With live, its script may fetch from where the page came from."""
    style = (FOLDER / "style.css").read_text()
    parts = [(FOLDER / name).read_text() for name in SCRIPTS]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"
    fillings = {
        "policy": policy(script, style, live=live),
        "title": html.escape(title),
        "style": style,
        "data": json_for_html(data),
        "script": script,
    }
    template = (FOLDER / "page.html").read_text()
    return HOLE.sub(lambda hole: fillings[hole.group(1)], template)


def policy(script: str, style: str, *, live: bool) -> str:
    """The content security policy for a page with this script and this style."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "connect-src 'self'" if live else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def plain_json(data: Any) -> str:
    """JSON that every browser reads: no NaN, and lone surrogates as escapes.

    Raises ValueError for numbers that are not finite.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace").decode()


def json_for_html(data: Any) -> str:
    """JSON for the inside of a script element: the same data, without a character that HTML or
    older JavaScript would take for more than text."""
    text = plain_json(data)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
