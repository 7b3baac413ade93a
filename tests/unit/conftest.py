"""Unit tests compute on tensors so small that a second thread only waits for the first, and they run
in parallel as it is. Set before anything imports torch."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
