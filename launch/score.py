"""`launch score`: judge the rows of a JSON-lines file outside training.

Rows are read, judged and written one after the other; memory does not grow with the file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from configs.errors import UserError
from launch.score_kinds import KINDS, FieldError, Judge

BATCH_LINES = 64
"""Lines per worker between two writes."""
RESULT_FIELDS = ("outcome", "reward", "seconds", "extracted", "detail")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input, counted from 1."""

    number: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Scored:
    """A line after judging: the row to write, or what is wrong with it."""

    line: Line
    row: bytes = b""
    outcome: str = ""
    reward: float | None = None
    problem: str = ""


@dataclass(slots=True)
class Tally:
    """The rows of one outcome, and the sum of the rewards of those that have one."""

    rows: int = 0
    rewarded: int = 0
    reward: float = 0.0


class BadLine(Exception):
    """Ends a strict run; the half-written output goes with it."""


def score_file(kind: str, path: Path, out: Path | None, *, strict: bool, workers: int) -> int:
    """Judge every row of a file; rows go to out, or to standard output without one.

    Exit code 0, or 1 when lines had to be left out. With strict the first such line ends it, and
    out is not written. Raises UserError for an unknown kind, a missing file or an unusable out.
    """
    _check(kind, path, out, workers)
    start = time.monotonic()
    tallies: dict[str, Tally] = {}
    bad_lines = 0
    try:
        with _writer(out) as target, _progress(path, out) as advance:
            for scored in _score(kind, _lines(path), workers):
                advance(len(scored.line.text))
                if not scored.problem:
                    _count(tallies, scored)
                    target.write(scored.row)
                    continue
                bad_lines += 1
                print(f"{path}:{scored.line.number}: {scored.problem}", file=sys.stderr)
                if strict:
                    raise BadLine
    except BadLine:
        print("stopped at the first bad line (--strict)", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads standard output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except BrokenProcessPool as error:
        raise UserError(
            f"{path}: a worker process died (out of memory?); lower --workers"
        ) from error
    _print_summary(tallies, bad_lines, time.monotonic() - start)
    return 1 if bad_lines else 0


def score_line(kind: str, line: Line) -> Scored:
    """Judge one line, in whichever process this is called."""
    judge = _judge(kind)
    start = time.perf_counter()
    try:
        row = json.loads(line.text)
    except (ValueError, RecursionError) as error:  # syntax, encoding, huge numbers, depth
        return Scored(line, problem=f"not JSON: {error}")
    if not isinstance(row, dict):
        return Scored(line, problem="not a JSON object")
    try:
        verdict = judge(row)
    except FieldError as error:
        return Scored(line, problem=str(error))
    row = {name: value for name, value in row.items() if name not in RESULT_FIELDS}
    row |= {"outcome": verdict.outcome, "reward": verdict.reward}
    row["seconds"] = round(time.perf_counter() - start, 6)
    for name, value in (("extracted", verdict.extracted), ("detail", verdict.detail)):
        if value is not None:
            row[name] = value
    # A lone surrogate has no UTF-8; backslashreplace writes it the way JSON escapes it.
    text = json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Scored(line, text + b"\n", verdict.outcome, verdict.reward)


@cache
def _judge(kind: str) -> Judge:
    """The judge of this process."""
    return KINDS[kind]()


def _check(kind: str, path: Path, out: Path | None, workers: int) -> None:
    if kind not in KINDS:
        raise UserError(f"unknown kind {kind!r}; choose from: {', '.join(KINDS)}")
    if workers < 1:
        raise UserError(f"--workers {workers}: must be at least 1")
    if not path.is_file():
        raise UserError(f"{path}: no such file; name a file of JSON lines")
    if out is not None and out.is_dir():
        raise UserError(f"--out {out}: is a folder; name a file")
    if out is not None and not out.parent.is_dir():
        raise UserError(f"--out {out}: no folder {out.parent}; make it first")
    if out is not None and out.exists() and out.samefile(path):
        raise UserError(f"--out {out}: is the file to score; name another one")


def _lines(path: Path) -> Iterator[Line]:
    """The lines that are not blank."""
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if text.strip():
                yield Line(number, text)


def _score(kind: str, lines: Iterator[Line], workers: int) -> Iterator[Scored]:
    """The lines judged, in order, in this process or in several others."""
    if workers == 1:
        yield from map(partial(score_line, kind), lines)
        return
    # spawn: a fork would copy the locks of the thread that draws the progress bar.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        while batch := list(islice(lines, BATCH_LINES * workers)):
            yield from pool.map(partial(score_line, kind), batch, chunksize=8)


@contextmanager
def _writer(out: Path | None) -> Iterator[BinaryIO]:
    """Writes out aside and puts it in place at the end, whole or not at all."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        file = aside.open("wb")
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written ({error.strerror})") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _progress(path: Path, out: Path | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr that is moved by bytes read; none where nobody would see it, or where it
    would run into the rows."""
    if not sys.stderr.isatty() or (out is None and sys.stdout.isatty()):
        yield lambda size: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, redirect_stdout=False) as bar:
        task = bar.add_task(path.name, total=path.stat().st_size)
        yield lambda size: bar.advance(task, size)


def _count(tallies: dict[str, Tally], scored: Scored) -> None:
    tally = tallies.setdefault(scored.outcome, Tally())
    tally.rows += 1
    if scored.reward is not None:
        tally.rewarded += 1
        tally.reward += scored.reward


def _print_summary(tallies: dict[str, Tally], bad_lines: int, seconds: float) -> None:
    """Rows, share and mean reward by outcome, on stderr: stdout is for rows."""
    rows = sum(tally.rows for tally in tallies.values())
    print(f"{rows} rows in {seconds:.1f} s, {bad_lines} bad lines left out", file=sys.stderr)
    for outcome, tally in sorted(tallies.items(), key=lambda item: -item[1].rows):
        mean = f"{tally.reward / tally.rewarded:.3f}" if tally.rewarded else "none"
        share = tally.rows / rows
        print(f"  {outcome:16} {tally.rows:8} {share:7.1%}  reward {mean}", file=sys.stderr)
