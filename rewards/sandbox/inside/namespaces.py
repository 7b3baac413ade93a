"""Fresh namespaces for one job (namespaces(7)), made by a process without privileges."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

from rewards.sandbox.inside import libc

_USER, _PID, _MOUNT, _IPC, _NETWORK = 0x10000000, 0x20000000, 0x00020000, 0x08000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_CAPABILITY_VERSION = 0x20080522


def unshare() -> None:
    """Leave for new namespaces; the next child is process 1 of the new process namespace.

    The user keeps its number. Raises OSError.
    """
    user, group = os.getuid(), os.getgid()
    libc.call("unshare", _USER | _PID | _MOUNT | _IPC | _NETWORK)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def cover(path: str, options: str, *, read_only: bool = False) -> None:
    """Mount an empty file system in memory over path; it vanishes with the namespace.

    options: e.g. "size=64m,nr_inodes=4096,mode=700". Raises OSError.
    """
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | (_MS_RDONLY if read_only else 0)
    libc.call("mount", b"tmpfs", path.encode(), b"tmpfs", ctypes.c_ulong(flags), options.encode())


def drop_capabilities() -> None:
    """Give up what the user namespace gave. Raises OSError."""
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    libc.call("capset", ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))
