"""Landlock: which files a job can reach (landlock(7)), for kernels from 5.13.

System-call numbers are the same on all machines.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from rewards.sandbox.inside import libc

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIRECTORY = 1 << 0, 1 << 1, 1 << 2, 1 << 3
READ = READ_FILE | READ_DIRECTORY
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
"""Those that make sense for something other than a directory; 14: truncate, 15: ioctl."""
_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files each version knows; bit numbers count from 0."""
_TCP = 0b11
"""Bind and connect, from version 4 on."""
_SCOPES = 0b11
"""Abstract sockets of others and signals to others, from version 6 on."""


def version() -> int:
    """The kernel's Landlock version; 0 when there is none or it is switched off."""
    try:
        return libc.call("syscall", _CREATE, None, ctypes.c_size_t(0), _VERSION_FLAG)
    except OSError:
        return 0


def all_rights() -> int:
    """Every right on files that this kernel can take away."""
    return (1 << _RIGHTS_BY_VERSION[min(version(), 5)]) - 1


def ruleset(rights: dict[str, int]) -> int:
    """A file descriptor of rules: path -> what is allowed on it and beneath it. All else is denied,
    and with it TCP, abstract sockets and signals to processes outside where the kernel can.

    Raises OSError.
    """
    kernel = version()
    handled = (all_rights(), _TCP if kernel >= 4 else 0, _SCOPES if kernel >= 6 else 0)
    attributes = struct.pack("QQQ", *handled)[: 8 if kernel < 4 else 16 if kernel < 6 else 24]
    size = ctypes.c_size_t(len(attributes))
    rules = libc.call("syscall", _CREATE, ctypes.c_char_p(attributes), size, 0)
    for path, allowed in rights.items():
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            allowed &= _FILE_RIGHTS
        rule = struct.pack("=Qi", allowed & all_rights(), file)
        libc.call("syscall", _ADD_RULE, rules, _PATH_BENEATH, ctypes.c_char_p(rule), 0)
        os.close(file)
    return rules


def nothing_executable() -> int:
    """Rules that only forbid to execute any file of a file system. Raises OSError."""
    attributes = struct.pack("Q", EXECUTE)
    size = ctypes.c_size_t(len(attributes))
    return libc.call("syscall", _CREATE, ctypes.c_char_p(attributes), size, 0)


def restrict(rules: int) -> None:
    """Hold this process and its descendants to the rules from now on. Raises OSError."""
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    libc.call("syscall", _RESTRICT, rules, 0)
