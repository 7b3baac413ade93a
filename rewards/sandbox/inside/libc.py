"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 4, 38, 22
PR_SET_CHILD_SUBREAPER = 36


def call(name: str, *arguments: object) -> int:
    """Call a function of the C library that returns -1 and sets errno when it fails.

    Raises OSError, with the function's name as its file name.
    """
    result: int = getattr(_LIBC, name)(*arguments)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    return result


def prctl(option: int, argument: int) -> None:
    """The two-argument forms of prctl(2); the kernel wants the other three to be 0."""
    zero = ctypes.c_ulong(0)
    call("prctl", option, ctypes.c_ulong(argument), zero, zero, zero)
