"""What the owner and its fork server say to each other, one message per packet.

    owner   -> server  Request, with file descriptors: payload, stdin, stdout, stderr, program
    owner   -> server  KILL, to end the running job early
    server  -> owner   HELLO once, then one Reply per Request
    server  -> job     the Request and its descriptors, once
    job     -> server  READY when it is set up, or ERROR and why it is not

Sources, inputs and outputs go through file descriptors and never through the server's memory, which
every later job is forked from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

KILL = b"kill"
HELLO = b"hello"
MAX_PACKET = 1 << 16

READY, ERROR = b"ready", b"error "


class Tier(StrEnum):
    """Kinds of isolation, strongest first."""

    NAMESPACES = "namespaces"
    """bubblewrap, and fresh namespaces for every job."""
    LANDLOCK = "landlock"
    """Landlock, seccomp and resource limits, for machines that forbid namespaces."""
    NONE = "none"
    """Resource limits only: a program can read and write what its user can."""


class Stage(StrEnum):
    """What a job does."""

    PYTHON = "python"
    """Run the payload's source in the fork of the server."""
    COMPILE = "compile"
    """Run a compiler, and hand out what it makes."""
    NATIVE = "native"
    """Run what a compiler made."""


class End(StrEnum):
    """Why a job ended."""

    EXIT = "exit"
    TIME = "time"
    KILLED = "killed"
    """By the owner's KILL."""
    ERROR = "error"
    """It never started; the reply's detail says why."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a server is told at its start."""

    tier: Tier
    folder: str
    """The working directory of jobs; in namespaces covered afresh for each of them."""
    readable: tuple[str, ...]
    """Files and folders that programs may read, for Landlock."""
    control_fd: int
    """The socket to the owner."""
    owner_fd: int
    """A pidfd of the owner, readable when that is gone."""

    def encode(self) -> str:
        return json.dumps(_values(self))

    @classmethod
    def decode(cls, text: str) -> Setup:
        fields: dict[str, Any] = json.loads(text)
        fields["tier"] = Tier(fields["tier"])
        fields["readable"] = tuple(fields["readable"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Request:
    """One job, without its content."""

    stage: Stage
    time_s: float
    memory_mib: int
    command: tuple[str, ...] = ()
    """The compiler and its arguments; its output is a file named "main"."""

    def encode(self) -> bytes:
        return json.dumps(_values(self)).encode()

    @classmethod
    def decode(cls, packet: bytes) -> Request:
        fields = json.loads(packet)
        return cls(
            stage=Stage(fields["stage"]),
            time_s=fields["time_s"],
            memory_mib=fields["memory_mib"],
            command=tuple(fields["command"]),
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """How a job ended."""

    end: End
    exit_code: int
    """As in subprocess: negative for a signal."""
    seconds: float
    peak_kib: int
    """Largest resident memory."""
    detail: str = ""

    def encode(self) -> bytes:
        return json.dumps(_values(self)).encode()

    @classmethod
    def decode(cls, packet: bytes) -> Reply:
        fields: dict[str, Any] = json.loads(packet)
        fields["end"] = End(fields["end"])
        return cls(**fields)


def _values(record: Setup | Request | Reply) -> dict[str, Any]:
    """By name; dataclasses.asdict would copy every value."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def pack(source: bytes, files: Mapping[str, bytes]) -> bytes:
    """The content of a payload: a line of JSON with names and sizes, then the bytes."""
    head = {"source": len(source), "files": {name: len(data) for name, data in files.items()}}
    return b"".join([json.dumps(head).encode(), b"\n", source, *files.values()])


def unpack(file: int) -> tuple[bytes, dict[str, bytes]]:
    """(source, files) of the payload behind a file descriptor."""
    size = os.fstat(file).st_size
    head, _, content = read_all(file, size).partition(b"\n")
    sizes = json.loads(head)
    end = sizes["source"]
    source = content[:end]
    files: dict[str, bytes] = {}
    for name, length in sizes["files"].items():
        files[name] = content[end : end + length]
        end += length
    return source, files


def read_all(file: int, size: int) -> bytes:
    """The first bytes of a file; os.pread alone may return fewer."""
    pieces: list[bytes] = []
    start = 0
    while start < size:
        pieces.append(os.pread(file, size - start, start))
        start += len(pieces[-1])
    return b"".join(pieces)
