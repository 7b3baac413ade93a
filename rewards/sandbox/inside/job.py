"""The process of one job: from the fork of the server to the program's last instruction.

It is made, and moved into namespaces of its own, before there is a request for it. Everything that
confines the job is in place before a byte of the program is looked at.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from dataclasses import dataclass
from math import ceil
from typing import NoReturn

from rewards.sandbox.inside import landlock, libc, namespaces, programs, seccomp
from rewards.sandbox.inside.protocol import ERROR, MAX_PACKET, Request, Stage, Tier, unpack

MIB = 1 << 20
FILE_MIB = 64
"""Largest file, and in namespaces also all files together."""
NUM_FILES, NUM_OPEN_FILES, NUM_THREADS, STACK_MIB = 4096, 64, 64, 64
STATUS_FD = 3
"""Where the job has its end of the channel to its server; the program's own descriptor follows."""


@dataclass(frozen=True, slots=True)
class Jail:
    """What a server prepares once for all its jobs."""

    tier: Tier
    folder: str
    """The working directory of jobs."""
    rules: int | None
    """Landlock's rules for programs; None in other tiers."""
    compile_rules: int | None
    """The same for compilers, which write to the folder and run other programs."""
    filters: dict[Stage, seccomp.Filter]
    """Empty in tier NONE."""
    own_namespace: int
    """The server's process namespace; -1 in other tiers."""
    own_memory: int
    """Bytes of address space of the server itself, which every fork of it has from the start."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The file descriptors that come with a request."""

    payload: int
    stdin: int
    stdout: int
    stderr: int
    program: int
    """Where a compiler's output goes to, or what a native job executes."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The process of a job that is still to come."""

    process: int
    channel: socket.socket
    """Takes one Request with its descriptors. What comes back is READY, or ERROR and a reason; its
    end means that the set-up is over."""


def fork_waiting(jail: Jail) -> Waiting:
    """Start the process of a coming job. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if jail.tier is Tier.NAMESPACES:
        process = namespaces.fork_as_first(jail.own_namespace)
    else:
        process = os.fork()
    if process != 0:
        theirs.close()
        return Waiting(process, ours)
    try:
        ours.close()  # or it would not notice the end of the server
        os.dup2(theirs.fileno(), STATUS_FD, inheritable=False)
        theirs.close()
        _make_room(jail)
        _be_the_job(jail, *_await_request())
    except BaseException as error:
        os.write(STATUS_FD, ERROR + f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)


def _make_room(jail: Jail) -> None:
    """All of the set-up that is the same for every job."""
    if jail.tier is not Tier.LANDLOCK:
        # With Landlock a job stays in the server's process group, which is what the owner kills.
        os.setsid()
    if jail.tier is Tier.NAMESPACES:
        namespaces.leave()
        namespaces.cover("/proc", "nr_inodes=1,mode=555", read_only=True)
        options = f"size={FILE_MIB}m,nr_inodes={NUM_FILES},mode=700"
        namespaces.cover(jail.folder, options)
    os.chdir(jail.folder)


def _await_request() -> tuple[Request, Descriptors]:
    """Leaves when the server has gone."""
    channel = socket.socket(fileno=STATUS_FD)
    packet, files, _, _ = socket.recv_fds(channel, MAX_PACKET, 5, socket.MSG_CMSG_CLOEXEC)
    channel.detach()
    if not packet:
        os._exit(0)
    return Request.decode(packet), Descriptors(*files)


def _be_the_job(jail: Jail, request: Request, files: Descriptors) -> NoReturn:
    source, contents = unpack(files.payload)
    _write(contents)
    _arrange(files)
    _limit(jail, request)
    if request.stage is Stage.COMPILE:
        programs.compile_native(request.command, STATUS_FD, lambda: _confine(jail, request.stage))
    _confine(jail, request.stage)
    if request.stage is Stage.NATIVE:
        programs.run_native(request.memory_mib * MIB, STATUS_FD)
    programs.run_python(source, STATUS_FD)


def _write(contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        folder = os.path.dirname(name)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(name, "xb") as file:
            file.write(content)


def _arrange(files: Descriptors) -> None:
    """Put the descriptors where the program expects them. They all come from above 4, so that none
    is overwritten before it has been copied."""
    for source, target in [
        (files.stdin, 0),
        (files.stdout, 1),
        (files.stderr, 2),
        (files.program, seccomp.EXEC_FD),
    ]:
        os.dup2(source, target, inheritable=target <= 2)


def _limit(jail: Jail, request: Request) -> None:
    cpu_s = ceil(request.time_s) + 1
    limits = {
        resource.RLIMIT_AS: jail.own_memory + request.memory_mib * MIB,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: FILE_MIB * MIB,
        resource.RLIMIT_NOFILE: NUM_OPEN_FILES,
        resource.RLIMIT_STACK: STACK_MIB * MIB,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: NUM_THREADS,
    }
    if jail.tier is Tier.NAMESPACES:
        # Elsewhere it would count the processes that the user has outside.
        limits[resource.RLIMIT_NPROC] = NUM_THREADS
    for kind, wanted in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


def _confine(jail: Jail, stage: Stage) -> None:
    """Give up all rights. The order matters: the filter forbids what the others need."""
    rules = jail.compile_rules if stage is Stage.COMPILE else jail.rules
    if rules is not None:
        landlock.restrict(rules)
    elif stage is Stage.NATIVE and jail.tier is Tier.NAMESPACES and landlock.version() > 0:
        landlock.restrict(landlock.nothing_executable())
    os.closerange(seccomp.EXEC_FD + (stage is not Stage.PYTHON), 1024)
    if jail.tier is Tier.NAMESPACES:
        namespaces.drop_capabilities()
    # A job whose server was killed has nobody to stop it. Dropping rights would reset this.
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    if stage in jail.filters:
        jail.filters[stage].install()
