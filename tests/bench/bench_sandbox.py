"""How many small programs the sandbox runs, per tier: python -m tests.bench.bench_sandbox [N]"""

from __future__ import annotations

import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from configs.errors import UserError
from configs.rewards import SandboxSettings
from rewards.sandbox.jobs import Job, RunStatus
from rewards.sandbox.pool import SandboxPool
from rewards.sandbox.tiers import Tier

JOBS = 1000
SOURCE = "n = int(input())\nprint(sum(i * i for i in range(n)))"


def main(num_jobs: int = JOBS) -> None:
    """Print runs per second, and the median and 99th percentile of the time of a run."""
    workers = os.cpu_count() or 1
    print(f"{num_jobs} programs, {workers} workers, load {os.getloadavg()[0]:.1f} at the start")
    for tier in (Tier.NAMESPACES, Tier.LANDLOCK, Tier.NONE):
        try:
            pool = SandboxPool(SandboxSettings(workers=workers, tier=tier.value))
        except UserError as error:
            print(f"{tier}: {error}")
            continue
        with pool:
            print(f"{tier}: {measure(pool, workers, num_jobs)}")


def measure(pool: SandboxPool, workers: int, num_jobs: int) -> str:
    def run(number: int) -> float:
        started = time.perf_counter()
        result = pool.run(Job(SOURCE, stdin=b"%d" % (number % 1000)))
        assert result.status is RunStatus.FINISHED, result
        return time.perf_counter() - started

    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(run, range(5 * workers)))  # starts the servers
        started = time.perf_counter()
        seconds = sorted(executor.map(run, range(num_jobs)))
        rate = num_jobs / (time.perf_counter() - started)
    median, last = statistics.median(seconds), seconds[int(0.99 * len(seconds))]
    return f"{rate:.0f} runs/s, p50 {1000 * median:.1f} ms, p99 {1000 * last:.1f} ms"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
