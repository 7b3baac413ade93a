"""Whether a driver is alive, told through a file that changes: on a claim that pods on many nodes
share there are no process ids, and the clocks of nodes differ."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "heartbeat"
BEAT_S = 5.0
SILENT_S = 60.0
"""A driver that has not changed its file for so long is dead."""


@contextmanager
def heartbeat(run_dir: Path) -> Iterator[None]:
    """Beat while the block runs."""
    run_dir.mkdir(parents=True, exist_ok=True)
    path, end = run_dir / FILE, threading.Event()

    def beat() -> None:
        for count in itertools.count():
            path.write_text(str(count))
            if end.wait(BEAT_S):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        path.unlink(missing_ok=True)


def beats(run_dir: Path) -> bool:
    """Whether a driver has begun and not ended; it may have been killed, though."""
    return (run_dir / FILE).exists()


def wait_for_silence(run_dir: Path, poll_s: float = 1.0) -> None:
    """Until the driver of the folder has ended or was found dead; at once where there is none."""
    last, since = None, time.monotonic()
    while True:
        try:
            text = (run_dir / FILE).read_text()
        except FileNotFoundError:
            return
        if text != last:
            last, since = text, time.monotonic()
        elif time.monotonic() - since > SILENT_S:
            return
        time.sleep(poll_s)
