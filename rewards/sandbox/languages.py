"""The languages that programs may be written in. Each is one entry of LANGUAGES."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """How to run a source."""

    source_name: str
    """Its file name in the working directory, where it is a file."""
    command: tuple[str, ...] = ()
    """The compiler and its arguments, run in the working directory; makes a file named "main".
    Empty: the source is Python for the sandbox's own interpreter."""


def _gnu(compiler: str, standard: str, source_name: str) -> Language:
    # Static, because the jail of the program lets it execute nothing but itself: no loader.
    options = ("-O2", f"-std={standard}", "-static", "-pipe", "-w", "-o", "main")
    return Language(source_name, (f"/usr/bin/{compiler}", *options, source_name, "-lm"))


LANGUAGES = {
    "python": Language("main.py"),
    "c": _gnu("gcc", "gnu17", "main.c"),
    "cpp": _gnu("g++", "gnu++20", "main.cpp"),
}
EMPTY_PROGRAM = "int main(void) { return 0; }\n".replace("(void)", "()")
"""Compiles in every compiled language; shows that its compiler works in the jail."""
