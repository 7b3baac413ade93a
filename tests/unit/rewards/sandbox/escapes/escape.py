"""Hostile programs, as data. A program that gets through prints ESCAPED.

What they aim at comes in on stdin as JSON (see attack.World): a secret file, a folder that anyone
may write to, a process of the same user, open ports. `control` marks those that do escape from a
process without a jail, and are safe to try: with tier "none" they show that the attack is real.
"""

from __future__ import annotations

from dataclasses import dataclass

from rewards.sandbox.jobs import RunStatus

TIME, MEMORY, OUTPUT, DONE = (
    RunStatus.TIME_LIMIT,
    RunStatus.MEMORY_LIMIT,
    RunStatus.OUTPUT_LIMIT,
    RunStatus.FINISHED,
)

PRELUDE = """
import ctypes, fcntl, gc, json, mmap, os, platform, re, resource, signal, socket, struct, sys
import threading, time
W = json.load(sys.stdin)
LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
def escaped(*what):
    print("ESCAPED", *what, flush=True)
def tries(*actions):
    for number, action in enumerate(actions):
        try:
            result = action()
        except Exception:
            continue
        escaped(number, repr(result)[:100])
def syscall(x86_64, aarch64, *arguments):
    result = LIBC.syscall(ctypes.c_long(x86_64 if X86 else aarch64), *arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result
"""


@dataclass(frozen=True, slots=True)
class Escape:
    """One attempt. status: how the run must end; None: in any way but SANDBOX_ERROR."""

    name: str
    code: str
    status: RunStatus | None = None
    control: bool = False
