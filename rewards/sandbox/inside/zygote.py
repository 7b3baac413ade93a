"""The fork server: a warm interpreter that forks one job at a time and ends it on time.

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
import resource
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

from rewards.sandbox.inside import landlock, libc
from rewards.sandbox.inside.job import NUM_THREADS, Descriptors, Jail, fork_job
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

PRELOADED = (array, bisect, calendar, cmath, collections, contextlib, copy, dataclasses, datetime)
PRELOADED += (decimal, enum, fractions, functools, heapq, io, itertools, json, math, operator)
PRELOADED += (queue, random, re, statistics, string, struct, threading, types, typing)
"""What contest programs import; jobs find these modules loaded."""

SETUP_S = 10.0
"""Longest set-up of a job."""
WATCH_S = 0.05
"""Time between looks at a job's number of threads, where no namespace limits it."""
PROCESS_ID = re.compile(rb"pid ([0-9]+);")
"""Comes before or after READY: two processes write them."""
_FIRST_FD = 10
"""Descriptors below are for jobs."""


def main() -> None:
    setup = Setup.decode(sys.argv[1])
    control = socket.socket(fileno=_move(setup.control_fd))
    owner = _move(setup.owner_fd)
    for number in range(3, _FIRST_FD):
        os.dup2(0, number)
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
    # The kernel shall take a job first when memory runs out.
    Path("/proc/self/oom_score_adj").write_text("1000")
    libc.prctl(libc.PR_SET_DUMPABLE, 0)
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
    return Jail(setup.tier, setup.folder, rules, compile_rules)


class Server:
    """Serves one owner until one of them ends."""

    def __init__(self, control: socket.socket, owner: int, jail: Jail) -> None:
        self._control = control
        self._owner = owner
        self._jail = jail
        self._idle = select.poll()
        self._idle.register(control, select.POLLIN)
        self._idle.register(owner, select.POLLIN)

    def serve(self) -> None:
        while True:
            self._idle.poll()
            packet, files = self._receive()
            if packet == KILL:  # it came when its job had already ended
                continue
            request = Request.decode(packet)
            reply = self._run(request, Descriptors(*files))
            for file in files:
                os.close(file)
            self._clean()
            self._control.send(reply.encode())

    def _receive(self) -> tuple[bytes, list[int]]:
        """The next packet; leaves when the owner has gone."""
        if select.select([self._owner], [], [], 0)[0]:
            self._leave()
        packet, files, _, _ = socket.recv_fds(self._control, MAX_PACKET, 5, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            self._leave()
        return packet, files

    def _leave(self) -> NoReturn:
        """End everything. In namespaces, the end of this process is the end of all others."""
        if self._jail.tier is not Tier.NAMESPACES:
            shutil.rmtree(self._jail.folder, ignore_errors=True)
            os.killpg(0, signal.SIGKILL)
        os._exit(0)

    def _run(self, request: Request, files: Descriptors) -> Reply:
        status, status_end = os.pipe()
        first = fork_job(self._jail, request, files, status_end)
        os.close(status_end)
        words = _read_to_end(status, SETUP_S)
        os.close(status)
        process = first
        if self._jail.tier is Tier.NAMESPACES:
            os.waitpid(first, 0)
            found = PROCESS_ID.search(words)
            process = int(found[1]) if found else 0
            words = PROCESS_ID.sub(b"", words)
        if words != READY:
            reason = words.removeprefix(ERROR).decode(errors="replace")
            return Reply(End.ERROR, 0, 0.0, 0, f"could not set up the job: {reason or 'it ended'}")
        started = time.monotonic()
        job = os.pidfd_open(process)
        end = self._watch(job, process, started + request.time_s)
        if end is not End.EXIT:
            self._kill(job, process)
        os.close(job)
        _, code, usage = os.wait4(process, 0)
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
        only files of requests and of compilers are in it."""
        if self._jail.tier is Tier.NAMESPACES:
            return
        with os.scandir(self._jail.folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)


def _read_to_end(file: int, seconds: float) -> bytes:
    """All that comes through a pipe until its end, or until the time is over."""
    deadline = time.monotonic() + seconds
    content = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([file], [], [], left)[0]:
            return content + ERROR + b"it took too long"
        piece = os.read(file, MAX_PACKET)
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
