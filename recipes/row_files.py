"""Rows of data files and of data sets on the hub, each read by itself, so that a bad one costs no
more than itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import UserError


@dataclass(frozen=True, slots=True)
class Rejected:
    """One bad row."""

    row: int
    """Number of the row or line, from 1."""
    reason: str
    """One of a few, to be counted."""
    detail: str = ""


class BadRow(Exception):
    """Raised while a row is read, with a reason and details; the row is then left out."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def as_text(value: Any, where: str) -> str:
    """A text that is not empty and can be written down. Raises BadRow."""
    if not isinstance(value, str):
        raise BadRow("not a text", f"{where} is {type(value).__name__}")
    if not value.strip():
        raise BadRow("empty text", where)
    try:
        value.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON can spell
        raise BadRow("not valid Unicode", where) from error
    return value


def open_rows(
    name: str,
    subset: str = "",
    split: str = "train",
    *,
    streaming: bool = False,
    setting: str = "data.path",
) -> Iterator[tuple[int, Callable[[], Any]]]:
    """(number, function that reads the row or raises BadRow) of a .jsonl or .parquet file or a data
    set on the hub. streaming: do not download it as a whole; setting: what names it.

    Raises UserError when nothing can be read at all.
    """
    path = Path(name).expanduser()
    if path.suffix == ".parquet":
        yield from _parquet_rows(path, setting)
    elif path.is_file():
        yield from json_lines(path)
    else:
        yield from _hub_rows(name, subset, split, streaming, setting)


def json_lines(path: Path) -> Iterator[tuple[int, Callable[[], Any]]]:
    """(number, function that reads the line or raises BadRow) of every line that is not empty."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, lambda line=line: _json_line(line)


def _json_line(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRow("not UTF-8", f"byte {error.start} of the line") from error
    except json.JSONDecodeError as error:
        raise BadRow("not JSON", f"{error.msg} at column {error.colno}") from error


def _parquet_rows(path: Path, setting: str) -> Iterator[tuple[int, Callable[[], Any]]]:
    import pyarrow
    from pyarrow import parquet

    try:
        batches = parquet.ParquetFile(path).iter_batches()
        number = 0
        for batch in batches:
            for index in range(batch.num_rows):
                number += 1
                yield number, lambda batch=batch, index=index: _parquet_row(batch, index)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{setting}={path}: cannot be read as Parquet ({error}); give a whole .parquet file"
        ) from error


def _parquet_row(batch: Any, index: int) -> Any:
    try:
        return batch.slice(index, 1).to_pylist()[0]
    except UnicodeDecodeError as error:
        raise BadRow("not UTF-8", f"byte {error.start} of a text") from error


def _hub_rows(
    name: str, subset: str, split: str, streaming: bool, setting: str
) -> Iterator[tuple[int, Callable[[], Any]]]:
    import datasets
    from datasets.exceptions import DatasetNotFoundError

    try:
        rows = datasets.load_dataset(name, subset or None, split=split, streaming=streaming)
    except (DatasetNotFoundError, OSError, ValueError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{setting}={name}: no such file, and not to be had as a data set ({first_line}); "
            "name a .jsonl or .parquet file, or check the name, subset and split of the data set"
        ) from error
    for number, row in enumerate(rows, start=1):
        yield number, lambda row=row: row
