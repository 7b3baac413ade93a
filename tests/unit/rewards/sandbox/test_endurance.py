"""Many jobs, some of them hostile: none is lost, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from configs.rewards import SandboxSettings
from rewards.sandbox.inside.protocol import Tier
from rewards.sandbox.jobs import Job, Limits, RunStatus
from rewards.sandbox.pool import SandboxPool
from tests.unit.rewards.sandbox.machine import ROOT, descendants, is_alive, need

HOSTILE = [
    ("import os\nwhile True: os.fork()", RunStatus.FINISHED),
    ("import os; os.kill(-1, 9)", RunStatus.FINISHED),
    ("kept = []\nwhile True: kept.append(bytearray(1 << 24))", RunStatus.MEMORY_LIMIT),
    ("while True: print('x' * 9999)", RunStatus.OUTPUT_LIMIT),
    ("while True: pass", RunStatus.TIME_LIMIT),
    ("import os\nfor _ in range(999): os.mkdir('d'); os.chdir('d')", None),
    ("import ctypes; ctypes.string_at(0)", RunStatus.FINISHED),
    ("import os; os.closerange(0, 99); os._exit(0)", RunStatus.FINISHED),
]
ORDINARY = "n = int(input()); print(sum(i * i for i in range(n % 100)) + n)"


def job(number: int) -> tuple[Job, RunStatus | None, bytes | None]:
    """The job of a number, and how it must end and what it must print; 5 % are hostile."""
    if number % 20 == 7:
        source, status = HOSTILE[number // 20 % len(HOSTILE)]
        time_s = 0.2 if status is RunStatus.TIME_LIMIT else 10.0
        limits = Limits(time_s=time_s, memory_mib=128, output_bytes=10_000)
        return Job(source, limits=limits), status, None
    answer = sum(i * i for i in range(number % 100)) + number
    return Job(ORDINARY, stdin=b"%d" % number), RunStatus.FINISHED, b"%d\n" % answer


@pytest.fixture(autouse=True)
def own_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place of this test alone, which every user can reach, and which must end empty."""
    folder = tempfile.mkdtemp(prefix="endurance-")
    os.chmod(folder, 0o1777)
    monkeypatch.setattr(tempfile, "tempdir", folder)
    monkeypatch.setenv("TMPDIR", folder)
    yield
    os.rmdir(folder)


def left_behind() -> tuple[set[int], int, list[str]]:
    """What could leak: processes, descriptors, temporary folders."""
    open_files = len(os.listdir("/proc/self/fd"))
    return descendants(os.getpid()), open_files, os.listdir(tempfile.gettempdir())


def endure(tier: Tier, num_jobs: int) -> None:
    before = left_behind()
    wrong: list[tuple[int, object]] = []
    statuses: Counter[RunStatus] = Counter()
    with SandboxPool(SandboxSettings(workers=2, tier=tier.value)) as pool:

        def run(number: int) -> None:
            program, status, output = job(number)
            result = pool.run(program)
            statuses[result.status] += 1
            good = status in (None, result.status) and output in (None, result.stdout)
            if not good or result.status is RunStatus.SANDBOX_ERROR:
                wrong.append((number, result))

        with ThreadPoolExecutor(4) as executor:
            list(executor.map(run, range(num_jobs)))
    assert wrong == []
    assert statuses.total() == num_jobs
    assert left_behind() == before


@pytest.mark.parametrize("tier", [Tier.NAMESPACES, Tier.LANDLOCK])
def test_three_hundred_jobs(tier: Tier) -> None:
    endure(need(tier), 300)


@pytest.mark.slow
@pytest.mark.parametrize("tier", [Tier.NAMESPACES, Tier.LANDLOCK])
def test_ten_thousand_jobs(tier: Tier) -> None:
    endure(need(tier), 10_000)


OWNER = """
import sys, threading, time
from configs.rewards import SandboxSettings
from rewards.sandbox.jobs import Job
from rewards.sandbox.pool import SandboxPool
pool = SandboxPool(SandboxSettings(workers=2, tier=sys.argv[1]))
spin = Job("while True: pass"), Job("import time; time.sleep(1000)")
for job in spin:
    threading.Thread(target=pool.run, args=(job,), daemon=True).start()
time.sleep(1000)
"""


@pytest.mark.parametrize("tier", [Tier.NAMESPACES, Tier.LANDLOCK])
def test_nothing_outlives_an_owner_that_is_killed(tier: Tier) -> None:
    need(tier)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, tier], cwd=ROOT, env=environment, start_new_session=True
    )
    # Two times: bwrap twice, the server, the job, and the process that waits for the next.
    wanted = 10 if tier is Tier.NAMESPACES else 6
    deadline = time.monotonic() + 30
    while len(below := descendants(owner.pid)) < wanted:
        assert time.monotonic() < deadline, below
        time.sleep(0.05)
    time.sleep(0.3)
    below = descendants(owner.pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    deadline = time.monotonic() + 5
    while alive := {process for process in below if is_alive(process)}:
        assert time.monotonic() < deadline, [
            (process, Path(f"/proc/{process}/cmdline").read_bytes()) for process in alive
        ]
        time.sleep(0.05)
    assert len(below) >= wanted
    assert left_behind()[2] == []
