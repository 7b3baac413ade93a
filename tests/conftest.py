"""What the processes of a parallel run need: one thread each, because on tensors as small as those
of tests a second one waits for the first; and interrupts, which pytest-xdist has them ignore, and
with them every program that they start."""

import os
import signal

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch
    signal.signal(signal.SIGINT, signal.default_int_handler)
