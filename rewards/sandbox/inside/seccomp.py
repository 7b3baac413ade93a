"""The system-call filter of a job, as classic BPF (seccomp(2), bpf(4)), without any library.

An allow-list: what is not named fails with EPERM. System calls newer than the list fail with ENOSYS
instead, which makes the C library fall back to older ones (clone3 to clone, whose flags can be
checked).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from rewards.sandbox.inside import libc, syscalls
from rewards.sandbox.inside.protocol import Stage

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_* of linux/audit.h."""
EXEC_FD = 4
"""Where a native job's program is open, and the only thing it may execute."""

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _GREATER, _GREATER_OR_EQUAL = 0x15, 0x25, 0x35
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data."""
_X32 = 0x40000000
_FIRST_NEW = 435
"""clone3, the first system call with the same number on all machines."""
_FILTER_MODE = 2

_CLONE_THREAD = 0x10000
_CLONE_NAMESPACES = 0x7E020000
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
"""Duplicate, flags, locks, pipe size. Not F_SETOWN and F_SETSIG, which send signals to others."""
_IOCTL_COMMANDS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
_PRCTL_OPTIONS = (15, 16, 0x53564D41)
"""PR_SET_NAME, PR_GET_NAME, PR_SET_VMA. Not PR_SET_PDEATHSIG: jobs die with their server."""
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF
_AT_EMPTY_PATH = 0x1000

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant."""
Condition = tuple[int, int, tuple[int, ...]]
"""Argument index, mask, allowed values of (argument & mask). Only the low 32 bits are seen: those
are all that the kernel looks at in the arguments named here."""

_ALL = 0xFFFFFFFF


def install(stage: Stage, pid: int, *, own_files: bool) -> None:
    """Filter this process and all its descendants from now on. Raises OSError."""
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    code = program(stage, pid, own_files=own_files, machine=platform.machine())
    memory = ctypes.create_string_buffer(code)
    # struct sock_fprog: the number of instructions, then their address after padding.
    head = struct.pack("HP", len(code) // 8, ctypes.addressof(memory))
    libc.call("prctl", libc.PR_SET_SECCOMP, _FILTER_MODE, ctypes.c_char_p(head))


def program(stage: Stage, pid: int, *, own_files: bool, machine: str) -> bytes:
    """The filter for a stage.

    pid: the job's own, the only one that it may send signals to.
    own_files: whether all files that can be changed are the job's own.
    """
    free = syscalls.numbers(syscalls.FREE, machine)
    checked = syscalls.numbers(syscalls.CHECKED, machine)
    if own_files:
        free |= syscalls.numbers(syscalls.METADATA, machine)
    if stage is Stage.COMPILE:
        free |= syscalls.numbers(syscalls.PROCESSES, machine)
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER_OR_EQUAL, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
    ]
    for name, conditions in _conditions(stage, pid).items():
        block = _block(conditions)
        instructions += [(_EQUAL, 0, len(block), checked[name]), *block]
    for low, high in _ranges(sorted(free.values())):
        instructions += [
            (_GREATER_OR_EQUAL, 0, 2, low),
            (_GREATER, 1, 0, high),
            (_RETURN, 0, 0, _ALLOW),
        ]
    instructions += [
        (_GREATER_OR_EQUAL, 0, 1, _FIRST_NEW),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
    ]
    return b"".join(struct.pack("HBBI", *each) for each in instructions)


def _conditions(stage: Stage, pid: int) -> dict[str, list[Condition]]:
    """What must hold, all of it, for the checked system calls of a stage."""
    thread = 0 if stage is Stage.COMPILE else _CLONE_THREAD
    mask = _CLONE_NAMESPACES | thread
    conditions: dict[str, list[Condition]] = {
        "clone": [(0, mask, (thread,))],
        "fcntl": [(1, _ALL, _FCNTL_COMMANDS)],
        "ioctl": [(1, _ALL, _IOCTL_COMMANDS)],
        "kill": [(0, _ALL, (pid,))],
        "tgkill": [(0, _ALL, (pid,))],
        "prctl": [(0, _ALL, _PRCTL_OPTIONS)],
        "prlimit64": [(0, _ALL, (0, pid))],
        # A connected pair of streams can reach nobody else; asyncio needs one.
        "socketpair": [(0, _ALL, (_AF_UNIX,)), (1, _SOCK_TYPE_MASK, (_SOCK_STREAM,))],
    }
    if stage is Stage.NATIVE:
        conditions["execveat"] = [(0, _ALL, (EXEC_FD,)), (4, _ALL, (_AT_EMPTY_PATH,))]
    return conditions


def _block(conditions: list[Condition]) -> list[Instruction]:
    block: list[Instruction] = []
    for index, mask, values in conditions:
        block += [(_LOAD, 0, 0, _ARGUMENTS + 8 * index), (_AND, 0, 0, mask)]
        block += [(_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
        block.append((_RETURN, 0, 0, _ERROR | errno.EPERM))
    return [*block, (_RETURN, 0, 0, _ALLOW)]


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers: [1, 2, 3, 7] -> [(1, 3), (7, 7)]."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
