"""The owner's side of the Math-Verify worker: one question at a time, each with a time limit that
holds, whatever the worker is doing."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from rewards.math.worker import MAX_MESSAGE

START_TIMEOUT_S = 60.0
"""Importing Math-Verify takes half a second of CPU time."""
CONTROL_TIMEOUT_S = 10.0
QUESTIONS_PER_WORKER = 1000
"""Then a fresh worker: what sympy caches does not pile up."""

_PACKAGES = str(Path(__file__).resolve().parents[2])


class OutOfLimits(Exception):
    """The question took too long, or more memory than a worker may have."""


class UnreadableGold(Exception):
    """Math-Verify cannot read the gold answer."""


class WorkerUnavailable(Exception):
    """No worker could be started."""


@dataclass
class Budget:
    """What is left of a check's time. Waiting for another thread's question costs nothing, nor
    does starting the server."""

    seconds: float


class SymbolicWorker:
    """Safe to use from several threads, which take turns. Started by the first question."""

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._lock = threading.Lock()
        self._forget()

    def same(self, gold: str, answer: str, budget: Budget) -> bool:
        """Math-Verify's verdict. Raises OutOfLimits, UnreadableGold or WorkerUnavailable."""
        message = json.dumps([gold, answer]).encode()
        with self._lock:
            for attempt in (1, 2):
                reply = self._ask(message, budget)
                if reply:
                    break
                # The worker has died. Its own memory limit would do that again; a kill by
                # somebody else would not.
                if attempt == 2:
                    raise OutOfLimits("the worker ran out of memory or crashed")
        if reply == b"gold":
            raise UnreadableGold(gold)
        return reply == b"same"

    def close(self) -> None:
        """Ends all processes and waits for them. The next question starts new ones."""
        with self._lock:
            self._stop()

    def _ask(self, message: bytes, budget: Budget) -> bytes:
        """The worker's reply, or nothing if it died."""
        if self._server_of != os.getpid():
            self._forget()  # forked: the processes belong to the parent
        if self._worker is None or self._questions == QUESTIONS_PER_WORKER:
            self._renew()
        assert self._worker is not None
        self._questions += 1
        start = time.monotonic()
        self._worker.settimeout(max(budget.seconds, 0.001))
        try:
            self._worker.send(message)
            reply = self._worker.recv(MAX_MESSAGE)
        except TimeoutError:
            self._renew()
            raise OutOfLimits("no verdict within the time limit") from None
        except OSError:
            reply = b""
        budget.seconds -= time.monotonic() - start
        if not reply:
            self._renew()
        return reply

    def _renew(self) -> None:
        """Another worker in the place of this one, from a new server if that has died."""
        for attempt in (1, 2):
            if self._server is None:
                self._start()
            try:
                return self._fork_worker()
            except OSError as error:
                self._stop()
                if attempt == 2:
                    raise WorkerUnavailable(f"the Math-Verify server died: {error}") from error

    def _fork_worker(self) -> None:
        assert self._control is not None
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        self._control.send(str(self._worker_pid).encode())
        message, ancillary, _, _ = self._control.recvmsg(64, socket.CMSG_SPACE(4))
        if not message or not ancillary:
            raise ConnectionError("no worker")
        descriptors = array.array("i")
        descriptors.frombytes(ancillary[0][2][: descriptors.itemsize])
        self._worker = socket.socket(fileno=descriptors[0])
        self._worker_pid = int(message)
        self._questions = 0

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        search = [_PACKAGES, *filter(None, [os.environ.get("PYTHONPATH")])]
        with theirs:
            self._server = subprocess.Popen(
                [
                    *(sys.executable, "-c", "from rewards.math.worker import main; main()"),
                    *(str(theirs.fileno()), str(os.getpid()), str(self._memory_mb)),
                ],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._control, self._server_of = ours, os.getpid()
        ours.settimeout(START_TIMEOUT_S)
        try:
            ready = ours.recv(MAX_MESSAGE)
        except OSError as error:
            self._stop()
            raise WorkerUnavailable(f"the Math-Verify server did not start: {error}") from error
        if not ready:
            self._stop()
            raise WorkerUnavailable("the Math-Verify server ended at once; see its message above")
        ours.settimeout(CONTROL_TIMEOUT_S)

    def _stop(self) -> None:
        for end in (self._worker, self._control):
            if end is not None:
                end.close()
        if self._server is not None and self._server_of == os.getpid():
            try:
                self._server.wait(CONTROL_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        self._forget()

    def _forget(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._server_of = os.getpid()
        self._control: socket.socket | None = None
        self._worker: socket.socket | None = None
        self._worker_pid = 0
        self._questions = 0
