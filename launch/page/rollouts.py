"""The rollouts of a run as the page shows them, read from its folder while it may still train.

A snapshot is what was sampled at one moment: the rollouts of a step ("12"), whole as long as the
journal keeps them and some groups afterwards, or an evaluation ("eval-50"). Nothing is written.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rewards.format import opens_thinking
from rewards.math.extraction import from_completion
from rl.advantages import ADVANTAGES, advantages
from rollout.journal import FILE_NAME, ROW

log = logging.getLogger(__name__)

CACHED_SNAPSHOTS = 4
SHOWN_COLUMNS = (
    "group",
    "prompt_id",
    "prompt_text",
    "answer",
    "text",
    "token_ids",
    "policy_version",
    "finish_reason",
    "reward",
    "outcome",
    "parts",
)

TAG_OR_COMMAND = re.compile(r"</?(?:think|answer)>|\\[A-Za-z]+")
LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
OTHER_SCRIPT = re.compile(
    r"[\u0400-\u06ff\u0900-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)
"""Cyrillic to Arabic, Indic scripts and Thai, kana, Han, Hangul. Not Greek: letters of formulas."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the rollouts of one moment lie."""

    id: str
    """Of a step: 12; of an evaluation after a step: eval-50."""
    step: int
    files: tuple[Path, ...]
    sampled: bool
    """Whether these are only some groups of the step."""

    def stamp(self) -> str:
        """Changes when the rollouts do: names hold digests, and other files their time."""
        return " ".join(f"{path.name}@{path.stat().st_mtime_ns}" for path in self.files)


def find_snapshots(run_folder: Path) -> list[Snapshot]:
    """All snapshots in the order in which they were sampled."""
    found: dict[str, Snapshot] = {}
    for path in sorted((run_folder / "rollouts").glob("step-*.jsonl")):
        step = int(path.stem.removeprefix("step-"))
        found[str(step)] = Snapshot(str(step), step, (path,), sampled=True)
    for path in sorted((run_folder / "journal").glob("*.parquet")):
        match = FILE_NAME.fullmatch(path.name)
        if match is not None:
            # The journal counts finished steps, everything else the step that is being done.
            step = int(match.group(1)) + 1
            known = found.get(str(step))
            waves = known.files if known is not None and not known.sampled else ()
            found[str(step)] = Snapshot(str(step), step, (*waves, path), sampled=False)
    for path in sorted((run_folder / "eval").glob("step-*.json")):
        step = int(path.stem.removeprefix("step-"))
        found[f"eval-{step}"] = Snapshot(f"eval-{step}", step, (path,), sampled=False)
    return sorted(found.values(), key=lambda entry: (entry.step, entry.id.startswith("eval")))


class Rollouts:
    """Reads snapshots, remembers the last few, and knows how each prompt fared before.

    Safe to call from several threads.
    """

    def __init__(self, run_folder: Path, advantage: str) -> None:
        """advantage: the estimator of the run, algorithm.advantage."""
        self._run_folder = run_folder
        self._advantage = advantage
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[str, str], list[dict[str, Any]]] = OrderedDict()
        self._shares: dict[tuple[str, str], dict[str, float]] = {}

    def snapshots(self) -> list[Snapshot]:
        return find_snapshots(self._run_folder)

    def groups(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        """The groups with advantages, extracted answers and the prompt's result before.

        Raises FileNotFoundError when the run has just deleted the files.
        """
        with self._lock:
            key = (snapshot.id, snapshot.stamp())
            if key not in self._groups:
                self._groups[key] = self._read(snapshot)
                while len(self._groups) > CACHED_SNAPSHOTS:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(key)
            return self._groups[key]

    def _read(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        groups = [group for path in snapshot.files for group in read_groups(path)]
        rewards = [[entry["reward"] for entry in group["completions"]] for group in groups]
        # Estimators over the whole batch say nothing about a part of it.
        known = self._advantage in ADVANTAGES or not snapshot.sampled
        values = (
            advantages(rewards, kind=self._advantage)
            if known
            else [[None] * len(r) for r in rewards]
        )
        before = self._before(snapshot)
        return [
            _annotated(group, row, before.get(group["prompt_id"]))
            for group, row in zip(groups, values, strict=True)
        ]

    def _before(self, snapshot: Snapshot) -> dict[str, dict[str, Any]]:
        """Prompt -> the last snapshot before this one that has it, and the share right in it."""
        seen: dict[str, dict[str, Any]] = {}
        for earlier in self.snapshots():
            if earlier.id == snapshot.id:
                break
            for prompt, share in self._shares_right(earlier).items():
                seen[prompt] = {"at": earlier.id, "right": share}
        return seen

    def _shares_right(self, snapshot: Snapshot) -> dict[str, float]:
        key = (snapshot.id, snapshot.stamp())
        if key not in self._shares:
            right: dict[str, list[bool]] = {}
            for path in snapshot.files:
                for prompt, outcome in read_outcomes(path):
                    right.setdefault(prompt, []).append(outcome == "correct")
            self._shares[key] = {prompt: fmean(values) for prompt, values in right.items()}
        return self._shares[key]


def read_groups(path: Path) -> list[dict[str, Any]]:
    """The groups of a file of journal/, rollouts/ or eval/, in the form of group_json."""
    if path.suffix == ".parquet":
        return _groups_of_table(_read_table(path, SHOWN_COLUMNS))
    return _groups_of_text(path)


def read_outcomes(path: Path) -> Iterable[tuple[str, str]]:
    """(prompt id, outcome) of every completion of a file, without reading a journal's texts."""
    if path.suffix == ".parquet":
        table = _read_table(path, ("prompt_id", "outcome"))
        return zip(table["prompt_id"].to_pylist(), table["outcome"].to_pylist(), strict=True)
    return (
        (group["prompt_id"], entry["outcome"])
        for group in _groups_of_text(path)
        for entry in group["completions"]
    )


def _read_table(path: Path, names: Sequence[str]) -> pa.Table:
    """Columns of a journal file; no rows when it is damaged, as for the run itself."""
    try:
        return pq.read_table(path, columns=list(names))
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        log.warning("%s is damaged, its rollouts are not shown: %s", path, error)
        return pa.schema([ROW.field(name) for name in names]).empty_table()


def _groups_of_text(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        # Only a line feed ends a line: texts may hold U+2028 and its like.
        return [json.loads(line) for line in path.read_text().split("\n") if line]
    return json.loads(path.read_text())["groups"]


def _groups_of_table(table: pa.Table) -> list[dict[str, Any]]:
    tokens = pc.list_value_length(table["token_ids"])  # type: ignore[attr-defined]
    table = table.drop_columns(["token_ids"]).append_column("tokens", tokens)
    groups = []
    for _, same in groupby(table.to_pylist(), key=lambda row: row["group"]):
        rows = list(same)
        groups.append(
            {
                "prompt_id": rows[0]["prompt_id"],
                "prompt": rows[0]["prompt_text"],
                "answer": rows[0]["answer"],
                "completions": [_entry(row) for row in rows],
            }
        )
    return groups


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("text", "tokens", "finish_reason", "policy_version", "reward", "outcome")
    return {**{name: row[name] for name in kept}, "parts": dict(row["parts"])}


def _annotated(
    group: Mapping[str, Any], row: Sequence[float | None], before: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "id": group["prompt_id"],
        "prompt": group["prompt"],
        "answer": group["answer"],
        "opened": opens_thinking(group["prompt"]),
        "before": before,
        "completions": [
            {
                **entry,
                "advantage": None if advantage is None else round(advantage, 4),
                "extracted": from_completion(entry["text"]),
                "mixed": languages_mixed(entry["text"]),
            }
            for entry, advantage in zip(group["completions"], row, strict=True)
        ],
    }


def languages_mixed(text: str) -> bool:
    """Whether words in Latin letters and another script stand in one text.

    Tags and LaTeX commands are no words; a single letter is a variable.
    """
    words = TAG_OR_COMMAND.sub(" ", text)
    return LATIN_WORD.search(words) is not None and OTHER_SCRIPT.search(words) is not None
