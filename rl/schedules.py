"""What changes along a run, as functions of the number of updates done so far."""

from __future__ import annotations

import math
from collections.abc import Mapping


def learning_rate(update: int, base: float, warmup: int) -> float:
    """Of the update with this number (from 0): base * (update + 1) / warmup, then constant."""
    return base * min(1.0, (update + 1) / max(warmup, 1))


def cosine_rate(update: int, total: int, base: float, final: float, warmup: int) -> float:
    """Of the update with this number (from 0) among total: base * (update + 1) / warmup, then half
    a cosine from base at update `warmup` to final at the last one,

    final + (base - final) (1 + cos(pi (update - warmup) / (total - 1 - warmup))) / 2.
    """
    if update < warmup:
        return learning_rate(update, base, warmup)
    share = (update - warmup) / max(total - 1 - warmup, 1)
    return final + (base - final) * (1.0 + math.cos(math.pi * share)) / 2.0


def length_cap(update: int, start: int, schedule: Mapping[int, int]) -> int:
    """Longest completion in tokens: the entry with the largest update number reached.

    length_cap(8300, start=32768, schedule={8200: 65536}) == 65536
    """
    reached = [number for number in schedule if number <= update]
    return schedule[max(reached)] if reached else start


def reference_due(update_before: int, update_after: int, every: int) -> bool:
    """Whether a multiple of `every` was passed in between; never for 0.

    A step with a different number of updates than usual neither skips nor repeats one.
    """
    return every > 0 and update_before // every < update_after // every
