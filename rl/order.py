"""The order of training data, as a pure function: a restart needs no state but the step."""

from __future__ import annotations

import random
from functools import lru_cache

from rl.seeds import seed_for


def batch_of_step(length: int, count: int, step: int, run_seed: int) -> list[int]:
    """Indices below length of the batch of one step (steps count from 0), count of them.

    Each epoch is a new permutation of all indices. The rest that does not fill a batch is left
    out of the epoch, another one each time, so that nothing comes twice in a batch.
    """
    assert 0 < count <= length, f"batches of {count} out of {length}"
    epoch, index = divmod(step, length // count)
    return list(_permutation(length, epoch, run_seed)[index * count : (index + 1) * count])


@lru_cache(maxsize=4)  # the steps of an epoch come one after another, of two data sets in turn
def _permutation(length: int, epoch: int, run_seed: int) -> tuple[int, ...]:
    order = list(range(length))
    random.Random(seed_for(run_seed, "epoch", epoch)).shuffle(order)
    return tuple(order)
