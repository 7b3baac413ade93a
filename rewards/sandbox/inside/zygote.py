"""The fork server: a warm interpreter that runs one job at a time and ends it on time. While one
job runs, the process of the next is made.

    consumes: Requests with descriptors       produces: Replies
    waits for: the owner, or the end of the running job
    unblocked by: a packet, the death of the owner, the death of the job, the clock

One thread, and no state that a job leaves behind. When the owner is gone, so is the server.
"""

from __future__ import annotations

import array
import bisect
import calendar
import cmath
import collections
import contextlib
import copy
import dataclasses
import datetime
import decimal
import enum
import fcntl
import fractions
import functools
import gc
import heapq
import io
import itertools
import json
import math
import operator
import os
import queue
import random
import re
import select
import shutil
import signal
import socket
import statistics
import string
import struct
import sys
import threading
import time
import types
import typing
from pathlib import Path
from typing import NoReturn

from rewards.sandbox.inside import landlock, libc, programs, seccomp
from rewards.sandbox.inside.job import NUM_THREADS, Jail, Waiting, fork_waiting
from rewards.sandbox.inside.protocol import (
    ERROR,
    HELLO,
    KILL,
    MAX_PACKET,
    READY,
    End,
    Reply,
    Request,
    Setup,
    Stage,
    Tier,
)

PRELOADED = [
    *(array, bisect, calendar, cmath, collections, contextlib, copy, dataclasses, datetime),
    *(decimal, enum, fractions, functools, heapq, io, itertools, json, math, operator, queue),
    *(random, re, statistics, string, struct, threading, types, typing),
]
"""What contest programs import; jobs find these modules loaded."""

SETUP_S = 10.0
"""Longest set-up of a job."""
WATCH_S = 0.05
"""Time between looks at a job's number of threads, where no namespace limits it."""
_FIRST_FD = 10
"""Descriptors below are for jobs."""


def main() -> None:
    setup = Setup.decode(sys.argv[1])
    control = socket.socket(fileno=_move(setup.control_fd))
    owner = _move(setup.owner_fd)
    for number in range(3, _FIRST_FD):
        os.dup2(0, number)
    # The kernel shall take a job first when memory runs out.
    Path("/proc/self/oom_score_adj").write_text("1000")
    if setup.tier is Tier.LANDLOCK:
        # Jobs are processes of the same user here: keep them from its memory.
        libc.prctl(libc.PR_SET_DUMPABLE, 0)
    programs.make_streams()
    sys.path[0] = setup.folder  # instead of this program's archive
    server = Server(control, owner, _make_jail(setup))
    gc.collect()
    gc.freeze()
    control.send(HELLO)
    server.serve()


def _move(file: int) -> int:
    """Make room: the numbers of a job's own descriptors must be free."""
    moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _FIRST_FD)
    os.close(file)
    return moved


def _make_jail(setup: Setup) -> Jail:
    rules = compile_rules = None
    if setup.tier is Tier.LANDLOCK:
        readable = dict.fromkeys(setup.readable, landlock.READ)
        readable |= {"/dev/null": landlock.READ | landlock.WRITE_FILE}
        rules = landlock.ruleset({**readable, setup.folder: landlock.READ})
        executable = {path: rights | landlock.EXECUTE for path, rights in readable.items()}
        compile_rules = landlock.ruleset({**executable, setup.folder: landlock.all_rights()})
    filters: dict[Stage, seccomp.Filter] = {}
    if setup.tier is not Tier.NONE:
        own_files = setup.tier is Tier.NAMESPACES
        filters = {stage: seccomp.Filter(stage, own_files=own_files) for stage in Stage}
    own_namespace = -1
    if setup.tier is Tier.NAMESPACES:
        own_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return Jail(
        tier=setup.tier,
        folder=setup.folder,
        rules=rules,
        compile_rules=compile_rules,
        filters=filters,
        own_namespace=own_namespace,
        own_memory=pages * os.sysconf("SC_PAGE_SIZE"),
    )


class Server:
    """Serves one owner until one of them ends."""

    def __init__(self, control: socket.socket, owner: int, jail: Jail) -> None:
        self._control = control
        self._owner = owner
        self._jail = jail
        self._idle = select.poll()
        self._idle.register(control, select.POLLIN)
        self._idle.register(owner, select.POLLIN)
        self._next = fork_waiting(jail)

    def serve(self) -> None:
        while True:
            self._idle.poll()
            packet, files = self._receive()
            if packet == KILL:  # it came when its job had already ended
                continue
            job = self._next
            _hand_over(job, packet, files)
            self._next = fork_waiting(self._jail)
            reply = self._run(job, Request.decode(packet).time_s)
            self._control.send(reply.encode())
            self._clean()

    def _receive(self) -> tuple[bytes, list[int]]:
        """The next packet; leaves when the owner has gone."""
        if select.select([self._owner], [], [], 0)[0]:
            self._leave()
        packet, files, _, _ = socket.recv_fds(self._control, MAX_PACKET, 5, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            self._leave()
        return packet, files

    def _leave(self) -> NoReturn:
        """End everything: in namespaces all processes but bwrap's, which then ends as well;
        elsewhere this process group, and itself with it."""
        if self._jail.tier is Tier.NAMESPACES:
            os.kill(-1, signal.SIGKILL)
        else:
            shutil.rmtree(self._jail.folder, ignore_errors=True)
            os.killpg(0, signal.SIGKILL)
        os._exit(0)

    def _run(self, waiting: Waiting, time_s: float) -> Reply:
        with waiting.channel:
            words = _read_to_end(waiting.channel, SETUP_S)
        started = time.monotonic()
        process = waiting.process
        job = os.pidfd_open(process)
        end = self._watch(job, process, started + time_s) if words == READY else End.ERROR
        if end is not End.EXIT:
            self._kill(job, process)
        os.close(job)
        _, code, usage = os.wait4(process, 0)
        if end is End.ERROR:
            reason = words.removeprefix(ERROR).decode(errors="replace")
            return Reply(end, 0, 0.0, 0, f"could not set up the job: {reason or 'it ended'}")
        seconds = time.monotonic() - started
        return Reply(end, os.waitstatus_to_exitcode(code), seconds, usage.ru_maxrss)

    def _watch(self, job: int, process: int, deadline: float) -> End:
        """Wait for the end of the job, or for a reason to end it."""
        poll = select.poll()
        for file in (job, self._control.fileno(), self._owner):
            poll.register(file, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            step = left if self._jail.tier is Tier.NAMESPACES else min(left, WATCH_S)
            ready = {file for file, _ in poll.poll(1000 * step)}
            if job in ready:
                return End.EXIT
            if ready:
                self._receive()
                return End.KILLED
            if self._jail.tier is Tier.LANDLOCK and _count_threads(process) > NUM_THREADS:
                return End.KILLED
        return End.TIME

    def _kill(self, job: int, process: int) -> None:
        try:
            if self._jail.tier is Tier.NONE:
                os.killpg(process, signal.SIGKILL)
            signal.pidfd_send_signal(job, signal.SIGKILL)
        except ProcessLookupError:  # it ended just now
            return

    def _clean(self) -> None:
        """Empty the folder of jobs, where they share one. Landlock's jobs cannot write to it, so
        only files of requests and of compilers are in it. A server that fails here ends, and the
        next job gets a fresh one."""
        if self._jail.tier is Tier.NAMESPACES:
            return
        with os.scandir(self._jail.folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)


def _hand_over(job: Waiting, packet: bytes, files: list[int]) -> None:
    """Give a job its request. The server keeps no descriptor of it, nor do the jobs to come."""
    # When it has ended, what it left in the channel says why.
    with contextlib.suppress(ConnectionError):
        socket.send_fds(job.channel, [packet], files)
    for file in files:
        os.close(file)


def _read_to_end(channel: socket.socket, seconds: float) -> bytes:
    """All that comes through a channel until its end, or until the time is over."""
    deadline = time.monotonic() + seconds
    content = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([channel], [], [], left)[0]:
            return content + ERROR + b"it took too long"
        try:
            piece = channel.recv(MAX_PACKET)
        except ConnectionResetError:  # it ended before it had read its request
            continue
        if not piece:
            return content
        content += piece


def _count_threads(process: int) -> int:
    """Threads of a process; 0 when it has just ended."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return 0
    # The name, in brackets, may hold anything; num_threads is the 18th field after it.
    return int(text.rpartition(")")[2].split()[17])
