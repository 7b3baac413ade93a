"""Unit tests run in parallel, and on tensors so small that a second thread waits for the first."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch
