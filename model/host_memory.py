"""What tensors on the CPU do with the memory of a process (glibc, oneDNN).

A tensor above 32 MB is mapped when it is made and unmapped when it is freed, and the kernel clears
every page of it: a fifth of the learner's time. KEEP has the process keep such memory for the next
tensors; `return_free` then gives back, at a moment that one chooses, what nobody uses.

For every shape of a bfloat16 matrix product a program of nearly a megabyte is compiled and kept:
the last thousand in each of two caches. The rows of a learner seldom have the same length twice:
their programs come to 0.8 GiB and are not used again. FEW_PROGRAMS keeps what one row needs.
"""

from __future__ import annotations

import ctypes

KEEP = {
    "MALLOC_MMAP_THRESHOLD_": str(4 * 2**30),
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
}
FEW_PROGRAMS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128", "LRU_CACHE_CAPACITY": "128"}
LEARNER_ENVIRONMENT = KEEP | FEW_PROGRAMS
"""Of a process, read when it starts."""


def return_free() -> None:
    """Give free memory back to the machine, also where it lies between memory in use. A tenth of a
    second for gigabytes."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # other C libraries keep less
        libc.malloc_trim(0)
