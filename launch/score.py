"""`launch score`: judge the rows of a JSON-lines file outside training.

Rows are read, judged and written one after the other; memory does not grow with the file.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from configs.errors import UserError
from launch.score_kinds import KINDS, Judge

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
        with (
            _writer(out) as target,
            closing(_score(kind, _lines(path), workers)) as results,
            _progress(path, out) as advance,
        ):
            for scored in results:
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


def score_line(judge: Judge, line: Line) -> Scored:
    """Read, judge and write one line."""
    start = time.perf_counter()
    try:
        row = _read_row(line.text)
        verdict = judge(row)
        row = {name: value for name, value in row.items() if name not in RESULT_FIELDS}
        row |= {"outcome": verdict.outcome, "reward": verdict.reward}
        row["seconds"] = round(time.perf_counter() - start, 6)
        row |= {"extracted": verdict.extracted} if verdict.extracted is not None else {}
        row |= {"detail": verdict.detail} if verdict.detail is not None else {}
        text = json.dumps(row, ensure_ascii=False)
    except UserError as error:
        return Scored(line, problem=str(error))
    except RecursionError:
        return Scored(line, problem="nested too deeply to be read or written")
    # A lone surrogate has no UTF-8; backslashreplace writes it the way JSON escapes it.
    data = text.encode("utf-8", "backslashreplace") + b"\n"
    return Scored(line, data, verdict.outcome, verdict.reward)


def _read_row(text: bytes) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError as error:  # syntax, encoding, or a number of thousands of digits
        raise UserError(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise UserError("not a JSON object")
    return row


def _check(kind: str, path: Path, out: Path | None, workers: int) -> None:
    if kind not in KINDS:
        raise UserError(f"unknown kind {kind!r}; choose from: {', '.join(KINDS)}")
    if workers < 1:
        raise UserError(f"--workers {workers}: must be at least 1")
    if not path.is_file():
        raise UserError(f"{path}: no such file; name a file of JSON lines")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: may not be read; change its permissions or name another file")
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


def _score(kind: str, lines: Iterator[Line], workers: int) -> Generator[Scored]:
    """The lines judged, in order: one by one here, in threads around one judge, or in processes
    with a judge each."""
    open_judge, shared = KINDS[kind].open_judge, KINDS[kind].shared
    if workers > 1 and not shared:
        # spawn: a fork would copy the locks of the thread that draws the progress bar.
        spawn = get_context("spawn")
        with ProcessPoolExecutor(workers, spawn, _open_judge_here, (kind,)) as pool:
            for batch in _batches(lines, workers):
                yield from pool.map(_score_line_here, batch, chunksize=8)
        return
    with open_judge(workers) as judge:
        if workers == 1:
            yield from map(partial(score_line, judge), lines)
            return
        with ThreadPoolExecutor(workers) as pool:
            for batch in _batches(lines, workers):
                yield from pool.map(partial(score_line, judge), batch)


def _batches(lines: Iterator[Line], workers: int) -> Iterator[list[Line]]:
    while batch := list(islice(lines, BATCH_LINES * workers)):
        yield batch


_judge_here: Judge
"""The judge of a worker process."""


def _open_judge_here(kind: str) -> None:
    global _judge_here
    stack = ExitStack()
    _judge_here = stack.enter_context(KINDS[kind].open_judge(1))
    atexit.register(stack.close)


def _score_line_here(line: Line) -> Scored:
    return score_line(_judge_here, line)


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
