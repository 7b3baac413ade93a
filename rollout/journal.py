"""The rollout journal: finished, scored rollouts on disk, so that none is ever generated twice.

One Parquet file per wave, one row per completion, readable by any Parquet tool:

    journal/000012-0003-5f0c...e1.parquet      step 12, wave 3, digest of the file's bytes

A file is written aside, synced and renamed, so that it is there whole or not at all; the digest
in its name finds files that were damaged later. Going back to an older checkpoint leaves later
steps valid: they hold what was sampled and with which log-probs, and are read again in turn.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import UserError
from rl.records import Completion, Group, Outcome, Prompt, Score

log = logging.getLogger(__name__)

ROW = pa.schema(
    [
        ("group", pa.int32()),
        ("prompt_id", pa.string()),
        ("prompt_text", pa.string()),
        ("prompt_token_ids", pa.list_(pa.int32())),
        ("answer", pa.string()),
        ("metadata", pa.map_(pa.string(), pa.string())),
        ("sample_index", pa.int32()),
        ("text", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        # float64 holds Python's floats to the bit.
        ("log_probs", pa.list_(pa.float64())),
        ("policy_version", pa.int64()),
        ("finish_reason", pa.string()),
        ("reward", pa.float64()),
        ("outcome", pa.string()),
        ("parts", pa.map_(pa.string(), pa.float64())),
    ]
)
"""Columns of the journal; group numbers the groups of a wave."""

DIGEST_CHARACTERS = 32
FILE_NAME = re.compile(r"(\d+)-(\d+)-([0-9a-f]+)\.parquet")
ASIDE = ".aside"


class Journal:
    """Written and read by the driver alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left_behind in folder.glob(f"*{ASIDE}"):
            left_behind.unlink()

    def write(self, step: int, wave: int, groups: Sequence[Group]) -> None:
        """Keep a finished wave; returns when it is safely on disk."""
        table = pa.Table.from_pylist(
            [row for index, group in enumerate(groups) for row in _rows(index, group)], schema=ROW
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        self.discard(step, wave)  # a damaged one
        self._write_whole(f"{step:06d}-{wave:04d}-{_digest(content)}.parquet", content)

    def read(self, step: int) -> dict[int, list[Group]]:
        """The finished waves of a step, by number; a damaged file counts as absent."""
        waves = {}
        for path in sorted(self._folder.glob(f"{step:06d}-*.parquet")):
            match = FILE_NAME.fullmatch(path.name)
            content = path.read_bytes()
            if match is None or match.group(3) != _digest(content):
                log.warning("%s is damaged: its rollouts will be generated again", path)
                continue
            waves[int(match.group(2))] = _groups(pq.read_table(pa.BufferReader(content)))
        return waves

    def discard(self, step: int, wave: int) -> None:
        """Delete a wave, so that it can be made again."""
        for path in self._folder.glob(f"{step:06d}-{wave:04d}-*.parquet"):
            path.unlink()

    def discard_before(self, step: int) -> None:
        """Delete the waves of earlier steps, once a checkpoint makes them needless."""
        for path in self._folder.glob("*.parquet"):
            match = FILE_NAME.fullmatch(path.name)
            if match is not None and int(match.group(1)) < step:
                path.unlink()

    def _write_whole(self, name: str, content: bytes) -> None:
        aside = self._folder / (name + ASIDE)
        try:
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self._folder / name)
            _sync_folder(self._folder)
        except OSError as error:
            aside.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise UserError(
                    f"run_dir: no space left for {len(content) / 2**20:.1f} MiB of rollouts in "
                    f"{self._folder}; free some space and run the same command again, it goes on "
                    "from here"
                ) from error
            raise


def _rows(index: int, group: Group) -> list[dict[str, Any]]:
    prompt = group.prompt
    return [
        {
            "group": index,
            "prompt_id": prompt.id,
            "prompt_text": prompt.text,
            "prompt_token_ids": prompt.token_ids,
            "answer": prompt.answer,
            "metadata": list(prompt.metadata.items()),
            "sample_index": completion.sample_index,
            "text": completion.text,
            "token_ids": completion.token_ids,
            "log_probs": completion.log_probs,
            "policy_version": completion.policy_version,
            "finish_reason": completion.finish_reason,
            "reward": score.reward,
            "outcome": str(score.outcome),
            "parts": list(score.parts.items()),
        }
        for completion, score in zip(group.completions, group.scores, strict=True)
    ]


def _groups(table: pa.Table) -> list[Group]:
    groups = []
    for _, same in groupby(table.to_pylist(), key=lambda row: row["group"]):
        rows = list(same)
        first = rows[0]
        prompt = Prompt(
            id=first["prompt_id"],
            text=first["prompt_text"],
            token_ids=tuple(first["prompt_token_ids"]),
            answer=first["answer"],
            metadata=dict(first["metadata"]),
        )
        groups.append(
            Group(
                prompt=prompt,
                completions=tuple(_completion(row) for row in rows),
                scores=tuple(
                    Score(row["reward"], Outcome(row["outcome"]), dict(row["parts"]))
                    for row in rows
                ),
            )
        )
    return groups


def _completion(row: dict[str, Any]) -> Completion:
    return Completion(
        prompt_id=row["prompt_id"],
        sample_index=row["sample_index"],
        text=row["text"],
        token_ids=tuple(row["token_ids"]),
        log_probs=tuple(row["log_probs"]),
        policy_version=row["policy_version"],
        finish_reason=row["finish_reason"],
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_CHARACTERS]


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
