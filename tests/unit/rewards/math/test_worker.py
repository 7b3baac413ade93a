"""The Math-Verify worker: bombs, threads, forks, and processes that must not survive."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.rewards import MathSettings
from rewards.math import MathChecker
from rewards.math.symbolic import Budget, OutOfLimits, SymbolicWorker
from rl.records import Outcome

INTEGRAL = ("\\int_0^1 x^2 dx", "1/3")
"""(prediction, gold) that only Math-Verify can compare."""
MEMORY_MB = 512

BOMBS = [
    "9^{9^{9^9}}",
    "10^{10^{10}}",
    "2^{10^9}",
    "10000000!",
    "((((9!)!)!)!)!",
    "\\binom{10000000}{5000000}",
    "\\sum_{k=1}^{10^7} \\frac{1}{k}",
    "\\sum_{k=1}^{99999} \\frac{1}{k^2}",
    "\\prod_{k=1}^{9999} (1+\\frac{1}{k})",
    "\\int_0^1 \\frac{\\sin(x^7) e^{x^5}}{\\ln(1+x^3)} dx",
    "\\int_0^\\infty \\frac{x^{17} \\sin^9 x}{(1+x^2)^{23}} dx",
    "(x+y+z+w+1)^{200}",
    "(x+y+z+w+v+u+1)^{99} + \\int x dx",
    "(" * 400 + "1" + ")" * 400,
    "\\sqrt{" * 120 + "2" + "}" * 120,
    "+".join(f"\\sqrt{{{i}}}" for i in range(2, 100)),
    "\\frac{5^{(5^{(5^{(5^5)})}-4)}-5}{16}",
    "1 " * 400,
    "\\det" * 100 + "5",
    "{" * 300 + "5" + "}" * 300,
    "9999!+" * 140 + "1",
    "\\frac{1}{9999!}+" * 50 + "1",
    "-" * 900 + "5",
    "\\sin " * 190 + "x",
]


def pid_of_worker(worker: SymbolicWorker) -> int:
    return worker._worker_pid  # pyright: ignore[reportPrivateUsage]


def pid_of_server(worker: SymbolicWorker) -> int:
    server = worker._server  # pyright: ignore[reportPrivateUsage]
    assert server is not None
    return server.pid


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + 10
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, [pid for pid in pids if is_alive(pid)]
        time.sleep(0.01)


@pytest.fixture
def impatient() -> Iterator[MathChecker]:
    with MathChecker(MathSettings(timeout_s=0.5)) as checker:
        while checker.check(*INTEGRAL, is_answer=True).outcome is Outcome.TIMEOUT:
            pass  # started, and warm
        yield checker


@pytest.fixture(scope="module")
def worker() -> Iterator[SymbolicWorker]:
    """Running, for tests that leave it so."""
    worker = SymbolicWorker(memory_mb=MEMORY_MB)
    assert worker.same("1/3", INTEGRAL[0], Budget(60.0))
    yield worker
    worker.close()


@pytest.mark.integration
def test_no_bomb_is_right_or_late(impatient: MathChecker) -> None:
    waits: list[float] = []
    for bomb in BOMBS:
        start = time.monotonic()
        verdict = impatient.check(bomb, "5", is_answer=True)
        assert verdict.outcome in (Outcome.WRONG, Outcome.TIMEOUT), (bomb, verdict)
        assert time.monotonic() - start < 0.5 + 1.0, (bomb, verdict)
        start = time.monotonic()
        following = impatient.check("\\int_0^2 x^2 dx", "\\frac{8}{3}", is_answer=True)
        waits.append(time.monotonic() - start)
        assert following.outcome in (Outcome.CORRECT, Outcome.TIMEOUT)
    assert sorted(waits)[len(waits) // 2] < 0.2


def test_a_question_without_end_is_killed_and_the_next_one_served(
    worker: SymbolicWorker,
) -> None:
    first = pid_of_worker(worker)
    with pytest.raises(OutOfLimits):
        worker.same("5", "9^{9^{9^9}}", Budget(0.3))
    assert pid_of_worker(worker) != first
    wait_until_gone(first)
    assert worker.same("1/3", INTEGRAL[0], Budget(60.0))
    assert not worker.same("1/4", INTEGRAL[0], Budget(60.0))


def waiting_worker(worker: SymbolicWorker) -> int:
    """The one child of the server that is not the worker; killed ones take a moment to end."""
    server = pid_of_server(worker)
    deadline = time.monotonic() + 10
    while True:
        text = Path(f"/proc/{server}/task/{server}/children").read_text()
        others = {pid for pid in map(int, text.split()) if is_alive(pid)} - {pid_of_worker(worker)}
        if len(others) == 1:
            return others.pop()
        assert time.monotonic() < deadline, others
        time.sleep(0.01)


def seconds_of_cpu(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def test_after_a_bomb_a_waiting_worker_serves_the_next_check_within_50_ms(
    worker: SymbolicWorker,
) -> None:
    """CPU time, so that other work on the machine does not count; `make bench-rewards` has the
    clock's."""
    costs: list[float] = []
    for number in (5, 7, 9):
        waiting = waiting_worker(worker)
        with pytest.raises(OutOfLimits):
            worker.same("5", "9^{9^{9^9}}", Budget(0.5))
        assert pid_of_worker(worker) == waiting
        before = seconds_of_cpu(waiting)
        assert worker.same(f"{2 * number}", f"\\operatorname{{lcm}}(2, {number})", Budget(60.0))
        costs.append(seconds_of_cpu(waiting) - before)
    assert min(costs) < 0.05, costs


def test_a_waiting_worker_that_died_is_replaced(worker: SymbolicWorker) -> None:
    first = waiting_worker(worker)
    os.kill(first, signal.SIGKILL)
    wait_until_gone(first)
    second = waiting_worker(worker)
    with pytest.raises(OutOfLimits):
        worker.same("5", "9^{9^{9^9}}", Budget(0.3))
    assert pid_of_worker(worker) == second


def address_space(pid: int) -> str:
    """The limit, in bytes or "unlimited"."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[3] for line in lines if line.startswith("Max address space"))


def test_memory_is_bounded(worker: SymbolicWorker) -> None:
    """One answers, one waits, and neither may grow further."""
    assert address_space(pid_of_worker(worker)) == str(MEMORY_MB << 20)
    waiting, deadline = waiting_worker(worker), time.monotonic() + 10
    while address_space(waiting) != str(MEMORY_MB << 20):
        assert time.monotonic() < deadline, "the first thing it does"
        time.sleep(0.01)


def test_close_ends_everything_and_the_next_check_starts_again() -> None:
    worker = SymbolicWorker(memory_mb=1024)
    worker.same("1/3", INTEGRAL[0], Budget(60.0))
    pids = pid_of_worker(worker), pid_of_server(worker)
    assert all(map(is_alive, pids))
    worker.close()
    wait_until_gone(*pids)
    assert worker.same("1/3", INTEGRAL[0], Budget(60.0))
    worker.close()


@pytest.mark.parametrize("victim", [pid_of_worker, pid_of_server])
def test_a_process_killed_by_somebody_is_replaced(worker: SymbolicWorker, victim) -> None:
    os.kill(victim(worker), signal.SIGKILL)
    wait_until_gone(pid_of_worker(worker)) if victim is pid_of_server else None
    assert worker.same("1/3", INTEGRAL[0], Budget(60.0))


OWNER = """
import time
from rewards.math.symbolic import Budget, SymbolicWorker
worker = SymbolicWorker(1024)
worker.same("1/3", "\\\\int_0^1 x^2 dx", Budget(60.0))
print(worker._worker_pid, worker._server.pid, flush=True)
time.sleep(600)
"""


def test_nothing_survives_an_owner_that_was_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pids = [int(pid) for pid in owner.stdout.readline().split()]
    assert len(pids) == 2 and all(map(is_alive, pids))
    owner.kill()
    owner.wait()
    wait_until_gone(*pids)


def test_threads_and_asyncio(checker: MathChecker) -> None:
    outcomes: list[Outcome] = []

    def check(i: int) -> None:
        gold = "\\frac{1}{3}" if i % 2 else "\\frac{1}{4}"
        prediction = f"\\int_0^1 x^2 dx + {i} - {i}"
        outcomes.append(checker.check(prediction, gold, is_answer=True).outcome)

    threads = [threading.Thread(target=check, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [Outcome.CORRECT] * 3 + [Outcome.WRONG] * 3

    async def gather() -> list[Outcome]:
        checks = (asyncio.to_thread(checker.check, *INTEGRAL, is_answer=True) for _ in range(4))
        return [verdict.outcome for verdict in await asyncio.gather(*checks)]

    assert asyncio.run(gather()) == [Outcome.CORRECT] * 4


def test_a_pickled_checker_works(checker: MathChecker) -> None:
    with pickle.loads(pickle.dumps(checker)) as copy:
        assert copy.check("\\frac{2}{4}", "0.5", is_answer=True).outcome is Outcome.CORRECT


def test_without_math_verify_the_checker_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    verdict = MathChecker().check(*INTEGRAL, is_answer=True)
    assert verdict.outcome is Outcome.CHECKER_ERROR
    assert "server ended at once" in verdict.detail
