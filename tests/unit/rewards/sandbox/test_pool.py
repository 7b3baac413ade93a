"""The pool: what programs see, what limits do, and what is left afterwards."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from configs.errors import UserError
from configs.rewards import SandboxSettings
from rewards.sandbox import pool as pool_module
from rewards.sandbox import zygote_client
from rewards.sandbox.inside.protocol import Tier
from rewards.sandbox.jobs import Job, Limits, RunResult, RunStatus
from rewards.sandbox.pool import SandboxPool
from tests.unit.rewards.sandbox.machine import descendants, need, processes


@pytest.fixture(params=[Tier.NAMESPACES, Tier.LANDLOCK], scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[SandboxPool]:
    with SandboxPool(SandboxSettings(workers=1, tier=need(request.param).value)) as pool:
        assert pool.tier is request.param
        yield pool


def run(pool: SandboxPool, source: str, stdin: bytes = b"", **limits: float) -> RunResult:
    return pool.run(Job(source, stdin=stdin, limits=Limits(**limits)))  # type: ignore[arg-type]


def test_a_program_reads_and_prints(pool: SandboxPool) -> None:
    result = run(pool, "print(int(input()) + 1)", b"41\n")
    assert (result.status, result.exit_code) == (RunStatus.FINISHED, 0)
    assert (result.stdout, result.stderr) == (b"42\n", b"")
    assert 0 < result.seconds < 5


@pytest.mark.parametrize(
    ("source", "code", "stdout", "stderr"),
    [
        ("import sys; print('a'); sys.exit(3)", 3, b"a\n", b""),
        ("import sys; sys.exit('why')", 1, b"", b"why\n"),
        ("raise ValueError('x')", 1, b"", b"ValueError: x\n"),
        ("def f(:", 1, b"", b"SyntaxError: invalid syntax\n"),
        ("import atexit; atexit.register(print, 'last'); print('first')", 0, b"first\nlast\n", b""),
        ("import threading as t; t.Thread(target=print, args='x').start()", 0, b"x\n", b""),
        ("import asyncio; print(asyncio.run(asyncio.sleep(0, 5)))", 0, b"5\n", b""),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\x00')", 0, b"\xff\x00", b""),
        ("import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))", 0,
         b"<class '__main__.A'>\n", b""),
        ("import sys; print(sys.argv, __name__)", 0, b"['main.py'] __main__\n", b""),
        ("print('\u00e9\u4e2d')", 0, "\u00e9\u4e2d\n".encode(), b""),
        ("print(open(0).read())", 0, b"\n", b""),
        ("import hashlib, sqlite3, zlib, decimal; print('modules')", 0, b"modules\n", b""),
    ],
)  # fmt: skip
def test_a_program_behaves_as_in_python(
    pool: SandboxPool, source: str, code: int, stdout: bytes, stderr: bytes
) -> None:
    result = run(pool, source)
    assert (result.status, result.exit_code) == (RunStatus.FINISHED, code), result
    assert result.stdout == stdout
    assert result.stderr.endswith(stderr)
    assert (result.stderr == b"") == (stderr == b"")


def test_random_numbers_differ_from_run_to_run(pool: SandboxPool) -> None:
    source = "import random; print(random.random())"
    assert run(pool, source).stdout != run(pool, source).stdout


def test_big_input_may_stay_unread_or_be_read(pool: SandboxPool) -> None:
    data = b"x" * (20 << 20)
    assert run(pool, "print(1)", data).stdout == b"1\n"
    assert run(pool, "import sys; print(len(sys.stdin.read()))", data).stdout == b"20971520\n"


def test_output_up_to_the_limit_is_complete(pool: SandboxPool) -> None:
    result = run(pool, "print('x' * 999_999)", output_bytes=1_000_000)
    assert (result.status, len(result.stdout)) == (RunStatus.FINISHED, 1_000_000)
    result = run(pool, "print('x' * 1_000_000)", output_bytes=1_000_000)
    assert (result.status, len(result.stdout)) == (RunStatus.OUTPUT_LIMIT, 1_000_000)


def test_limits_end_a_program(pool: SandboxPool) -> None:
    late = run(pool, "print('early', flush=True)\nwhile True: pass", time_s=0.3)
    assert (late.status, late.stdout) == (RunStatus.TIME_LIMIT, b"early\n")
    assert 0.3 <= late.seconds < 2
    assert run(pool, "bytearray(200 << 20)", memory_mib=210).exit_code == 0
    assert run(pool, "bytearray(200 << 20)", memory_mib=190).status is RunStatus.MEMORY_LIMIT
    assert run(pool, "print(1)", memory_mib=16).stdout == b"1\n"


@pytest.mark.parametrize(
    "limits",
    [{"time_s": 0}, {"time_s": float("nan")}, {"memory_mib": 1 << 30}, {"output_bytes": -1}],
)
def test_senseless_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(limits))}=.*: must be "):
        Limits(**limits)  # type: ignore[arg-type]


def test_files_are_in_the_working_directory_and_gone_for_the_next(pool: SandboxPool) -> None:
    files = {"data.txt": b"7", "package/module.py": b"x = 35"}
    source = "from package.module import x; print(x + int(open('data.txt').read()))"
    assert pool.run(Job(source, files=files)).stdout == b"42\n"
    assert run(pool, "import os; print(os.listdir('.'))").stdout == b"[]\n"


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a//b", "", ".", "a/", "x\0y"])
def test_files_stay_in_the_working_directory(pool: SandboxPool, name: str) -> None:
    with pytest.raises(UserError, match="must be a relative path"):
        pool.run(Job("", files={name: b""}))


def test_a_file_is_no_folder_of_another(pool: SandboxPool) -> None:
    with pytest.raises(UserError, match="'a' must be a relative path"):
        pool.run(Job("", files={"a": b"", "a/b": b""}))


def test_files_are_limited_to_what_fits(pool: SandboxPool) -> None:
    half = {"a": bytes(16 << 20), "b": bytes(16 << 20)}
    assert pool.run(Job("print(1)", files=half)).stdout == b"1\n"
    with pytest.raises(UserError, match=r"files: 3 of 33554433 bytes; at most 1000 of together"):
        pool.run(Job("print(1)", files={**half, "c": b"x"}))


def test_an_unknown_language_is_refused_with_the_known_ones(pool: SandboxPool) -> None:
    with pytest.raises(UserError, match="language=cobol: must be one of python, c, cpp"):
        pool.run(Job("", language="cobol"))


def test_nothing_of_a_job_is_in_the_memory_of_the_next(pool: SandboxPool) -> None:
    word = "word-of-the-first-job"
    first = Job(f"secret = input(); print(secret)  # {word}", stdin=word.encode(),
                files={word: word.encode()})  # fmt: skip
    assert pool.run(first).stdout.decode().strip() == word
    # Follows all references from the server's frames. Holds the word only backwards, and so does
    # not find itself.
    hunt = f"""
import gc, sys
backwards = {word[::-1]!r}
frame, waiting, seen, found = sys._getframe(), [], set(), False
while frame:
    waiting.append(frame.f_locals)
    frame = frame.f_back
while waiting:
    thing = waiting.pop()
    if id(thing) in seen or thing is seen or thing is waiting:
        continue
    seen.add(id(thing))
    if isinstance(thing, bytes):
        thing = thing.decode("latin-1")
    if isinstance(thing, str):
        found = found or backwards in thing[::-1]
    waiting += gc.get_referents(thing)
print(found, len(seen) > 1000)
"""
    assert run(pool, hunt).stdout == b"False True\n"


def servers() -> set[int]:
    """Processes that this one or its children have started."""
    return descendants(os.getpid())


def kill_servers(before: set[int]) -> None:
    """Kill the process groups of the fork servers."""
    for process, parent, _ in processes():
        if parent == os.getpid() and process not in before:
            os.killpg(process, signal.SIGKILL)


def test_a_job_whose_server_dies_is_tried_once_more() -> None:
    before = servers()
    job = Job("import time; time.sleep(0.5); print(1)")
    with SandboxPool(SandboxSettings(workers=1)) as pool, ThreadPoolExecutor(1) as executor:
        pool.run(Job(""))
        running = executor.submit(pool.run, job)
        time.sleep(0.2)
        kill_servers(before)
        assert running.result().stdout == b"1\n"
        running = executor.submit(pool.run, Job("import time; time.sleep(30)"))
        for _ in range(2):
            time.sleep(0.5)
            kill_servers(before)
        result = running.result()
        assert (result.status, result.exit_code) == (RunStatus.SANDBOX_ERROR, None)
        assert result.detail.startswith("the fork server ")
        assert pool.run(job).stdout == b"1\n"
    assert servers() == before


@pytest.mark.parametrize("tier", [Tier.NAMESPACES, Tier.LANDLOCK])
def test_a_job_whose_process_died_before_it_came_is_tried_once_more(
    tier: Tier, caplog: pytest.LogCaptureFixture
) -> None:
    before = servers()
    with SandboxPool(SandboxSettings(workers=1, tier=need(tier).value)) as pool:
        assert run(pool, "print(1)").stdout == b"1\n"
        own = servers() - before
        (waiting,) = own - {parent for _, parent, _ in processes()}
        os.kill(waiting, signal.SIGKILL)
        assert run(pool, "print(2)").stdout == b"2\n"
    assert "could not set up the job: it ended" in caplog.text
    assert servers() == before


def test_a_stuck_server_is_killed_and_the_job_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_client, "GRACE_S", 0.5)
    before = servers()
    with SandboxPool(SandboxSettings(workers=1)) as pool:
        assert run(pool, "print(1)").stdout == b"1\n"
        for process in servers() - before:
            os.kill(process, signal.SIGSTOP)
        started = time.monotonic()
        assert run(pool, "print(2)", time_s=1.5).stdout == b"2\n"
        assert 2.0 <= time.monotonic() - started < 9
    assert servers() == before


def test_a_server_is_replaced_after_so_many_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "JOBS_PER_SERVER", 2)
    before = servers()
    seen: list[frozenset[int]] = []
    with SandboxPool(SandboxSettings(workers=1)) as pool:
        for number in range(4):
            assert run(pool, f"print({number})").stdout == b"%d\n" % number
            seen.append(frozenset(servers() - before))
    assert seen[0] and seen[2]
    assert seen[1] == seen[3] == frozenset()
    assert not seen[0] & seen[2]


def test_close_ends_running_jobs_and_refuses_new_ones() -> None:
    before = servers()
    pool = SandboxPool(SandboxSettings(workers=2))
    with ThreadPoolExecutor(3) as executor:
        running = [executor.submit(run, pool, "import time; time.sleep(30)") for _ in range(3)]
        time.sleep(0.5)
        pool.close()
        statuses = {future.result().status for future in running}
    assert statuses == {RunStatus.SANDBOX_ERROR}
    assert run(pool, "print(1)").detail == "the pool is closed"
    pool.close()
    assert servers() == before


def test_run_waits_for_a_free_worker() -> None:
    with SandboxPool(SandboxSettings(workers=1)) as pool, ThreadPoolExecutor(4) as executor:
        pool.run(Job(""))
        started = time.monotonic()
        jobs = [executor.submit(run, pool, "import time; time.sleep(0.1)") for _ in range(4)]
        assert all(job.result().exit_code == 0 for job in jobs)
        assert time.monotonic() - started >= 0.4


def test_servers_outlive_the_thread_that_started_them() -> None:
    before = servers()
    with SandboxPool(SandboxSettings(workers=1)) as pool:
        thread = threading.Thread(target=run, args=(pool, "print(1)"))
        thread.start()
        thread.join()
        started = servers() - before
        time.sleep(0.2)
        assert run(pool, "print(2)").stdout == b"2\n"
        # All but one go on: the process that waited has been the job.
        assert len(started & servers()) == len(started) - 1
