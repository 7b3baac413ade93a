"""A run as a child process that never outlives this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from rewards.sandbox.inside.libc import PR_SET_PDEATHSIG, prctl

STOP_TIMEOUT_S = 30.0
"""How long an interrupted child may take to end its own processes."""
LOOK_S = 0.5
"""Between two looks at what is going on meanwhile."""


def run_child(module: str, *words: str, meanwhile: Callable[[], None] = lambda: None) -> int:
    """`python -m MODULE WORDS` with this terminal; its exit code, negative when a signal ended it.

    An interruption is passed on, and raised here once the child has ended. meanwhile is called
    every LOOK_S.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", module, *words], preexec_fn=partial(die_with, os.getpid())
    )
    try:
        while True:
            try:
                return child.wait(timeout=LOOK_S)
            except subprocess.TimeoutExpired:
                meanwhile()
    except BaseException:
        _stop(child)
        raise


def die_with(parent: int) -> None:
    """Called in a new process: let it end when its parent does, however that ends."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os.kill(os.getpid(), signal.SIGKILL)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """A terminal interrupts parent and child alike; whoever interrupts the parent alone does not,
    and a second interruption would disturb the child's orderly end. SIGTERM, since what a script
    starts in the background ignores SIGINT, and so do its children."""
    try:
        child.wait(timeout=2.0)
    except subprocess.TimeoutExpired:
        child.terminate()
        try:
            child.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
