"""The processes that run Math-Verify: a server that has imported it, and the workers it forks.

    owner --control--> server      "renew PID": kill that worker, fork another, send its socket
    owner <--socket--> worker      one JSON message per question, one per answer

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
from typing import Any

MAX_MESSAGE = 1 << 16
REAP_EVERY_MS = 1000
_PR_SET_PDEATHSIG = 1


def serve(control: socket.socket, owner_pid: int, memory_mb: int) -> None:
    """Until the owner closes its end of the control socket, or dies."""
    owner = os.pidfd_open(owner_pid)
    if os.getppid() != owner_pid:
        return
    compare = _load()
    gc.collect()
    gc.freeze()
    children: set[int] = set()
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(owner, select.POLLIN)
    control.send(b"ready")
    while True:
        events = dict(poll.poll(REAP_EVERY_MS))
        request = control.recv(MAX_MESSAGE) if control.fileno() in events else None
        if owner in events or request == b"":
            break
        if request is not None:
            _end(children, int(request))
            _fork(control, children, compare, memory_mb)
        _reap(children)
    for pid in list(children):
        _end(children, pid)


def _fork(
    control: socket.socket, children: set[int], compare: Callable[..., str], memory_mb: int
) -> None:
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        theirs.close()
        control.close()
        _work(ours, compare, memory_mb, server)
    ours.close()
    children.add(pid)
    descriptors = array.array("i", [theirs.fileno()])
    control.sendmsg(
        [str(pid).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors.tobytes())]
    )
    theirs.close()


def _end(children: set[int], pid: int) -> None:
    if pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        children.discard(pid)


def _reap(children: set[int]) -> None:
    for pid in list(children):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            children.discard(pid)


def _work(
    questions: socket.socket, compare: Callable[..., str], memory_mb: int, server: int
) -> None:
    """Answers questions until the owner closes the socket. Never returns."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == server:
        limit = memory_mb << 20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        while message := questions.recv(MAX_MESSAGE):
            gold, answer = json.loads(message)
            questions.send(compare(gold, answer).encode())
    os._exit(0)


def _load() -> Callable[[str, str], str]:
    """Imports Math-Verify and warms it up, so that forked workers start warm."""
    logging.disable(logging.CRITICAL)
    from math_verify import LatexExtractionConfig
    from math_verify import parse as untyped_parse
    from math_verify import verify as untyped_verify

    parse: Any = untyped_parse
    verify: Any = untyped_verify
    latex = [LatexExtractionConfig(boxed_match_priority=0)]

    def read(text: str) -> list[Any]:
        # Outside a box or a formula, Math-Verify looks for numbers only.
        return parse(f"\\boxed{{{text}}}", latex, "no_fallback", parsing_timeout=None)

    def compare(gold: str, answer: str) -> str:
        gold_values = read(gold)
        if not gold_values:
            return "gold"
        same = verify(
            gold_values,
            read(answer),
            float_rounding=6,
            strict=True,
            allow_set_relation_comp=True,
            timeout_seconds=None,
        )
        return "same" if same else "different"

    for gold, answer in (
        ("\\int_0^1 x^2 dx", "\\frac{1}{3}"),
        ("x^2 + y^2 = 1", "2x^2 + 2y^2 = 2"),
        ("1 \\le |z| \\le 2", "z > 3"),
        ("\\begin{pmatrix}1 & 2\\end{pmatrix}", "\\begin{pmatrix}1 & 3\\end{pmatrix}"),
    ):
        compare(gold, answer)
    return compare


def main() -> None:
    """Arguments: the descriptor of the control socket, the owner's process, MiB per worker."""
    descriptor, owner_pid, memory_mb = map(int, sys.argv[1:])
    serve(socket.socket(fileno=descriptor), owner_pid, memory_mb)
