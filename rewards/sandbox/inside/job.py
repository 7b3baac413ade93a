"""The process of one job: from the fork of the server to the program's last instruction.

    namespaces: server -> (new namespaces) -> process 1 of them, which becomes the job
    otherwise:  server -> the job

Everything that confines the job is in place before a byte of the program is looked at.
"""

from __future__ import annotations

import os
import resource
import signal
from dataclasses import dataclass
from math import ceil
from typing import NoReturn

from rewards.sandbox.inside import landlock, libc, namespaces, programs, seccomp
from rewards.sandbox.inside.protocol import ERROR, Request, Stage, Tier, unpack

MIB = 1 << 20
FILE_MIB = 64
"""Largest file, and in namespaces also all files together."""
NUM_FILES, NUM_OPEN_FILES, NUM_THREADS, STACK_MIB = 4096, 64, 64, 64
STATUS_FD = 3
"""Where the status pipe is in the job; the program's own descriptor follows it."""


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


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The file descriptors that come with a request."""

    payload: int
    stdin: int
    stdout: int
    stderr: int
    program: int
    """Where a compiler's output goes to, or what a native job executes."""


def fork_job(jail: Jail, request: Request, files: Descriptors, status: int) -> int:
    """Start the job's process, or the one that makes namespaces for it, and return its id.

    status: a pipe. It receives "pid N;" from the maker of namespaces, then READY, or ERROR and a
    reason; its end of file means that the set-up is over.
    """
    process = os.fork()
    if process != 0:
        return process
    try:
        if jail.tier is Tier.NAMESPACES:
            libc.prctl(libc.PR_SET_DUMPABLE, 1)  # or /proc/self/uid_map would be root's
            namespaces.unshare()
            process = os.fork()
            if process != 0:
                os.write(status, b"pid %d;" % process)
                os._exit(0)
        _be_the_job(jail, request, files, status)
    except BaseException as error:
        os.write(status, ERROR + f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)


def _be_the_job(jail: Jail, request: Request, files: Descriptors, status: int) -> NoReturn:
    if jail.tier is not Tier.NAMESPACES:
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    if jail.tier is not Tier.LANDLOCK:
        # With Landlock a job stays in the server's process group, which is what the owner kills.
        os.setsid()
    if jail.tier is Tier.NAMESPACES:
        namespaces.cover("/proc", "nr_inodes=1,mode=555", read_only=True)
        options = f"size={FILE_MIB}m,nr_inodes={NUM_FILES},mode=700"
        namespaces.cover(jail.folder, options)
    source, contents = unpack(files.payload)
    os.chdir(jail.folder)
    _write(contents)
    _arrange(files, status)
    _limit(jail.tier, request)
    if request.stage is Stage.COMPILE:
        programs.compile_native(request.command, STATUS_FD, lambda: _confine(jail, request.stage))
    _confine(jail, request.stage)
    if request.stage is Stage.NATIVE:
        programs.run_native(STATUS_FD)
    programs.run_python(source, STATUS_FD)


def _write(contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        folder = os.path.dirname(name)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(name, "xb") as file:
            file.write(content)


def _arrange(files: Descriptors, status: int) -> None:
    """Put the descriptors where the program expects them, and close all others. They all come from
    above 4, so that none is overwritten before it has been copied."""
    for source, target in [
        (files.stdin, 0),
        (files.stdout, 1),
        (files.stderr, 2),
        (status, STATUS_FD),
        (files.program, seccomp.EXEC_FD),
    ]:
        os.dup2(source, target, inheritable=target <= 2)


def _limit(tier: Tier, request: Request) -> None:
    cpu_s = ceil(request.time_s) + 1
    limits = {
        resource.RLIMIT_AS: request.memory_mib * MIB,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: FILE_MIB * MIB,
        resource.RLIMIT_NOFILE: NUM_OPEN_FILES,
        resource.RLIMIT_STACK: STACK_MIB * MIB,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: NUM_THREADS,
    }
    if tier is Tier.NAMESPACES:
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
    if jail.tier is not Tier.NONE:
        seccomp.install(stage, os.getpid(), own_files=jail.tier is Tier.NAMESPACES)
