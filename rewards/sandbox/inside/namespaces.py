"""Fresh namespaces for one job (namespaces(7)), made without any privilege outside."""

from __future__ import annotations

import ctypes
import os
import struct

from rewards.sandbox.inside import libc

_USER, _PROCESS, _MOUNT, _IPC, _NETWORK = 0x10000000, 0x20000000, 0x00020000, 0x08000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_CAPABILITY_VERSION = 0x20080522


def fork_as_first(own_namespace: int) -> int:
    """Fork; the child is process 1 of a new process namespace. For it, returns 0.

    own_namespace: /proc/self/ns/pid of this process, which needs CAP_SYS_ADMIN in its own user
    namespace. Raises OSError.
    """
    libc.call("unshare", _PROCESS)
    process = os.fork()
    if process != 0:
        # Or the next child would be born into this one's namespace.
        libc.call("setns", own_namespace, _PROCESS)
    return process


def leave() -> None:
    """Leave the server's namespaces for new ones. The user keeps its number. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    libc.call("unshare", _USER | _MOUNT | _IPC | _NETWORK)
    for name, content in [
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ]:
        file = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(file, content.encode())
        os.close(file)


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
