from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch.cli import main
from rewards.code.remote import RemoteSandbox
from rewards.sandbox.jobs import Job

SERVE = [sys.executable, "-m", "launch.cli", "sandbox", "serve", "--port", "0", "--workers", "1"]


def children(process_id: int) -> list[int]:
    """The processes below a process."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == process_id:
                found += [int(entry.name), *children(int(entry.name))]
    return found


@pytest.mark.integration
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_programs_and_ends_cleanly(tmp_path: Path, ending: signal.Signals) -> None:
    (tmp_path / "token").write_text("sesame")
    server = subprocess.Popen(
        [*SERVE, "--token-file", str(tmp_path / "token")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores SIGINT in what it starts in the background; Python would keep that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        assert server.stdout is not None
        greeting = server.stdout.readline()
        assert "Ctrl-C ends it" in greeting
        url = greeting.partition(" at ")[2].partition(";")[0]
        assert RemoteSandbox(url, token="sesame").run(Job("print(6 * 7)")).stdout == b"42\n"
        below = children(server.pid)
        assert below
        server.send_signal(ending)
        out, err = server.communicate(timeout=20)
    finally:
        server.kill()
    assert (server.returncode, out, err) == (0, "stopped\n", "")
    deadline = time.monotonic() + 10
    while [each for each in below if os.path.exists(f"/proc/{each}")]:
        assert time.monotonic() < deadline, "processes are left over"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "70000"], "--port 70000: must be between 0 and 65535"),
        (["--workers", "0"], "--workers 0: "),
        (["--tier", "none-such"], "--tier none-such: "),
        (["--token-file", "/none"], "token file /none: cannot be read"),
        (["--host", "192.0.2.1", "--port", "0"], "--host 192.0.2.1 --port 0: "),
    ],
)
def test_mistakes_are_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["sandbox", "serve", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
