"""Pages in a headless Chromium."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for path in map(shutil.which, NAMES) if path), None)

needs_chromium = pytest.mark.skipif(
    BROWSER is None, reason=f"no Chromium to look at the page with (none of {', '.join(NAMES)})"
)


def dom_of(address: str, profile: Path, *, wait_ms: int = 0) -> str:
    """The document after its scripts, as Chromium writes it.

    wait_ms: time for what a page fetches, which passes in the page only; a page that fetches
    nothing is ready at once, and its clock then is the real one.
    """
    assert BROWSER is not None
    # Chromium's own sandbox refuses to run as root.
    rights = ["--no-sandbox"] if os.geteuid() == 0 else []
    waiting = [f"--virtual-time-budget={wait_ms}"] if wait_ms else []
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--disable-gpu",
            "--window-size=1280,1000",
            f"--user-data-dir={profile}",
            *rights,
            *waiting,
            "--dump-dom",
            address,
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def data_of(dom: str) -> dict[str, str]:
    """The data- attributes of the <html> element, without their prefix."""
    match = re.search(r"<html[^>]*>", dom)
    assert match is not None, dom[:500]
    return {name: html.unescape(text) for name, text in re.findall(r'data-(\w+)="(.*?)"', match[0])}
