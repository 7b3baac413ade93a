"""The processes that run Math-Verify: a server that has imported it, and the workers it forks.

    owner --control--> server      the id of a worker: kill that, send the socket of another
    owner <--socket--> worker      one JSON message per question, one per answer

The next worker waits beside the one that answers, forked and warm, so that nobody waits for one.
Only a kill from outside ends a computation inside C code. The owner may have threads, so it never
forks; the server has none. When the owner ends, however it ends, the server notices and kills its
workers; when the server ends, the kernel does.
"""

from __future__ import annotations

import array
import ctypes
import gc
import json
import logging
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

MAX_MESSAGE = 1 << 16
REAP_EVERY_MS = 1000
_PR_SET_PDEATHSIG = 1
_WARM_UP = (
    ("\\int_0^1 x^2 dx", "\\frac{1}{3}"),
    ("\\operatorname{lcm}(4, 6)", "12"),
    ("\\sum_{k=1}^{5} k^2", "55"),
    ("\\lim_{x \\to 0} \\frac{\\sin 3x}{x}", "3"),
    ("x + y = 1", "2x + 2y = 2"),
    ("1 \\le |z| \\le 2", "z > 3"),
    ("\\begin{pmatrix}1 & 2\\end{pmatrix}", "\\begin{pmatrix}1 & 3\\end{pmatrix}"),
)
"""(gold, answer): between them they touch most of what a comparison needs. The parser learns from
each kind of formula; the first of a kind takes it tens of milliseconds."""


Compare = Callable[[str, str], str]
"""(gold, answer) -> "same", "different", or "gold" when that cannot be read."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that answers questions, and the owner's end of the socket to it."""

    pid: int
    questions: socket.socket


def serve(control: socket.socket, owner_pid: int, memory_mb: int) -> None:
    """Until the owner closes its end of the control socket, or dies."""
    owner = os.pidfd_open(owner_pid)
    if os.getppid() != owner_pid:
        return
    compare = _load()
    gc.collect()
    gc.freeze()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(owner, select.POLLIN)
    spare = _fork(control, compare, memory_mb)
    children = {spare.pid}
    control.send(b"ready")
    while True:
        events = dict(poll.poll(REAP_EVERY_MS))
        request = control.recv(MAX_MESSAGE) if control.fileno() in events else None
        if owner in events or request == b"":
            break
        if request is not None and int(request) in children:
            os.kill(int(request), signal.SIGKILL)
        if request is not None:
            _send(control, spare)
        _reap(children)
        if request is not None or spare.pid not in children:
            spare = _fork(control, compare, memory_mb)
            children.add(spare.pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(control: socket.socket, compare: Compare, memory_mb: int) -> Worker:
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        theirs.close()
        control.close()
        _work(ours, compare, memory_mb, server)
    ours.close()
    return Worker(pid, theirs)


def _send(control: socket.socket, worker: Worker) -> None:
    with worker.questions as questions:
        descriptors = array.array("i", [questions.fileno()])
        control.sendmsg(
            [str(worker.pid).encode()],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors.tobytes())],
        )


def _reap(children: set[int]) -> None:
    for pid in list(children):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            children.discard(pid)


def _work(questions: socket.socket, compare: Compare, memory_mb: int, server: int) -> None:
    """Answers questions until the owner closes the socket. Never returns."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == server:
        limit = memory_mb << 20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for pair in _WARM_UP:  # touch the pages shared with the server before anybody waits
            compare(*pair)
        while message := questions.recv(MAX_MESSAGE):
            gold, answer = json.loads(message)
            questions.send(compare(gold, answer).encode())
    os._exit(0)


def _load() -> Compare:
    """Imports Math-Verify and warms it up, so that forked workers start warm."""
    logging.disable(logging.CRITICAL)
    math_verify: Any = import_module("math_verify")  # has no type hints to speak of
    latex = [math_verify.LatexExtractionConfig(boxed_match_priority=0)]

    def read(text: str) -> list[Any]:
        # Outside a box or a formula, Math-Verify looks for numbers only.
        return math_verify.parse(f"\\boxed{{{text}}}", latex, "no_fallback", parsing_timeout=None)

    def compare(gold: str, answer: str) -> str:
        gold_values = read(gold)
        if not gold_values:
            return "gold"
        same: bool = math_verify.verify(
            gold_values,
            read(answer),
            float_rounding=6,
            strict=True,
            allow_set_relation_comp=True,
            timeout_seconds=None,
        )
        return "same" if same else "different"

    for gold, answer in _WARM_UP:
        compare(gold, answer)
    return compare


def main() -> None:
    """Arguments: the descriptor of the control socket, the owner's process, MiB per worker."""
    descriptor, owner_pid, memory_mb = map(int, sys.argv[1:])
    serve(socket.socket(fileno=descriptor), owner_pid, memory_mb)
