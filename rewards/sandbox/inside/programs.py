"""What a confined process does: Python source, a compiler, or what a compiler made."""

from __future__ import annotations

import atexit
import builtins
import os
import sys
import threading
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import NoReturn

from rewards.sandbox.inside.protocol import READY
from rewards.sandbox.inside.seccomp import EXEC_FD

OUTPUT = "main"
"""The name that a compiler gives its output."""


def run_python(source: bytes, status: int) -> NoReturn:
    """Run source as the main module, and end the process as Python would."""
    os.write(status, READY)
    os.close(status)
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = open(
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    sys.argv = ["main.py"]
    module = ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __file__="main.py")
    sys.modules["__main__"] = module
    # Bound now: the program may put anything in the place of these.
    leave, finish = os._exit, _finish
    code = 1
    try:
        exec(compile(source, "main.py", "exec", dont_inherit=True), module.__dict__)
        code = 0
    except SystemExit as error:
        code = _exit_code(error.code)
    except BaseException as error:
        own = error.__traceback__
        traceback.print_exception(error.with_traceback(own.tb_next if own else None))
    finally:
        leave(finish(code))


def _exit_code(value: object) -> int:
    """What sys.exit(value) means to the parent process."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value & 0xFF
    print(value, file=sys.stderr)
    return 1


def _finish(code: int) -> int:
    """Wait for threads, run atexit functions and flush, as the interpreter does at its end."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):  # a closed pipe or stream: Python's own code for it
                code = code or 120
    return code


def run_native(status: int) -> NoReturn:
    """Become the program behind EXEC_FD. status closes by itself when that works."""
    os.write(status, READY)
    os.execve(EXEC_FD, ["main"], {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})


def compile_native(command: tuple[str, ...], status: int, confine: Callable[[], None]) -> NoReturn:
    """Run a compiler, confined, as a child; then copy its output to EXEC_FD. Exits with its code.

    The compiler's messages of both kinds go to stderr.
    """
    os.write(status, READY)
    os.close(status)
    compiler = os.fork()
    if compiler == 0:
        try:
            confine()
            os.close(EXEC_FD)
            os.dup2(2, 1)
            environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": os.getcwd()}
            os.execve(command[0], command, environment)
        finally:
            os._exit(127)
    code = os.waitstatus_to_exitcode(os.waitpid(compiler, 0)[1])
    if code == 0:
        output = os.open(OUTPUT, os.O_RDONLY)
        while os.sendfile(EXEC_FD, output, None, 1 << 20):
            pass
    os._exit(code if code >= 0 else 128 - code)
