"""A module in a process of its own: its exit code, its end, what is done meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from launch.child import run_child

CHILD = """
import sys
from launch.child import run_child
print("up", flush=True)
run_child("launch.cli", "run", *sys.argv[1:])
"""


def test_exit_codes_come_through() -> None:
    assert run_child("launch.cli", "run", "r1_zero", "recipe.stepz=1") == 2


def test_a_child_in_the_background_is_ended_tidily(tmp_path: Path) -> None:
    """Where SIGINT is ignored, as after `nohup ... &` in a script."""
    up, tidy = tmp_path / "up", tmp_path / "tidy"
    setup = "import time, pathlib, launch.cluster as c; c.end_tidily_when_terminated()"
    wait = f"pathlib.Path({str(up)!r}).touch(); time.sleep(60)"
    work = f"try: {wait}\nfinally: pathlib.Path({str(tidy)!r}).touch()"
    words = ["timeit", "-n1", "-r1", f"-s{setup}", work]
    code = f"{setup}; from launch.child import run_child; run_child(*{words!r})"
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN),
        stderr=subprocess.DEVNULL,
    )
    try:
        while not up.exists():
            assert parent.poll() is None
            time.sleep(0.05)
        parent.terminate()
        parent.wait(timeout=20)
    finally:
        parent.kill()
    assert tidy.exists()


def test_something_is_done_while_a_child_runs() -> None:
    calls: list[float] = []
    script = "import time; time.sleep(1.3)"
    code = run_child("timeit", "-n1", "-r1", script, meanwhile=lambda: calls.append(0.0))
    assert code == 0 and len(calls) >= 2


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """Killed while the child still imports, long before it could start anything."""
    folder = tmp_path / "run"
    parent = subprocess.Popen(
        [sys.executable, "-c", CHILD, "r1_zero", f"run_dir={folder}", "cluster.threads=1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    deadline = time.monotonic() + 60
    while not children.read_text().split():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child = int(children.read_text().split()[0])
    time.sleep(0.2)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.05)
