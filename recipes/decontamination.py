"""Training rows that share text with an evaluation set, found by common n-grams and removed.

The paper removes from its training data whatever shares a 10-gram with an evaluation question or
reference solution (arXiv 2501.12948v2, section D.1). A unit of an n-gram is a word, that is a run
of letters and digits whatever its case, or a single character in scripts without spaces (Chinese
characters and kana): "解方程 x+1=2" has the units 解 方 程 x 1 2. An evaluation text with
fewer than n units has no n-gram; it matches a training text with the same units and no more.

Time is linear in the length of the training texts. Hashed n-grams find candidates, and the units
themselves are compared before anything is removed, so a collision removes nothing. Paraphrases and
translations are not found.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.benchmarks.items import Item

NGRAM = 10
# The first class takes one character at a time: Chinese characters and kana.
_UNIT = re.compile(
    r"[\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|"
    r"[^\W_\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that multiplying by it loses nothing modulo 2^64."""

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Match:
    """One evaluation item that a training row overlaps with. No text of the evaluation set is kept,
    because some of them (GPQA) must not be copied."""

    benchmark: str
    item: str
    text: int
    """Which of the row's texts overlaps, counted from 0."""
    unit: int
    """Where the first common n-gram starts in it, in units."""


@dataclass(frozen=True, slots=True)
class Removed:
    """Removed(row="train-17", matches=(Match("aime_2024", "aime_2024-3", text=0, unit=4),))"""

    row: str
    matches: tuple[Match, ...]


class EvaluationTexts:
    """The evaluation sets in use, indexed once."""

    def __init__(self, items: Mapping[str, Sequence[tuple[str, Item]]], n: int = NGRAM) -> None:
        """items: benchmark -> (id, item) of its problems. n: units per n-gram."""
        self._n = n
        self._vocabulary: dict[str, int] = {}
        self._owners: list[tuple[str, str]] = []
        """(benchmark, item id) of each indexed text."""
        self._texts: list[Ids] = []
        self._whole: dict[bytes, list[int]] = {}
        """Units of a short text -> indices of the texts that consist of them."""
        for benchmark, entries in items.items():
            for item_id, item in entries:
                for source in item.sources:
                    self._add((benchmark, item_id), source)
        self._index()

    def matches(self, texts: Sequence[str]) -> tuple[Match, ...]:
        """The evaluation items that a training row with these texts overlaps with, each once."""
        found: dict[tuple[str, str], Match] = {}
        for number, text in enumerate(texts):
            ids = self._ids(text)
            for owner, unit in [*self._equal(ids), *self._overlaps(ids)]:
                found.setdefault(owner, Match(*owner, text=number, unit=unit))
        return tuple(found.values())

    def _add(self, owner: tuple[str, str], text: str) -> None:
        words = units(text)
        # 0 stands for every word that no evaluation text has.
        known = [self._vocabulary.setdefault(word, len(self._vocabulary) + 1) for word in words]
        if not known:
            return
        ids = np.array(known, dtype=np.int64)
        if len(ids) < self._n:
            self._whole.setdefault(ids.tobytes(), []).append(len(self._owners))
        self._owners.append(owner)
        self._texts.append(ids)

    def _index(self) -> None:
        """All n-grams of all texts: their hashes in order, and where each comes from."""
        parts = [_ngram_hashes(ids, self._n) for ids in self._texts]
        lengths = [len(part) for part in parts]
        joined = np.concatenate(parts) if parts else np.empty(0, np.uint64)
        owners = np.repeat(np.arange(len(lengths)), lengths)
        starts = np.concatenate([np.arange(length) for length in lengths] or [np.empty(0, int)])
        order = np.argsort(joined, kind="stable")
        hashes, sources = joined[order], owners[order]
        # An n-gram that comes twice in one text is kept once, or repetitive texts would meet each
        # other in quadratic time.
        first = np.ones(len(order), dtype=bool)
        first[1:] = (hashes[1:] != hashes[:-1]) | (sources[1:] != sources[:-1])
        self._hashes, self._sources = hashes[first], sources[first]
        self._starts = starts[order][first]

    def _ids(self, text: str) -> Ids:
        known = self._vocabulary
        return np.array([known.get(word, 0) for word in units(text)], dtype=np.int64)

    def _equal(self, ids: Ids) -> list[tuple[tuple[str, str], int]]:
        return [(self._owners[index], 0) for index in self._whole.get(ids.tobytes(), ())]

    def _overlaps(self, ids: Ids) -> list[tuple[tuple[str, str], int]]:
        """The owner of every text with an n-gram in common, and where the first one starts."""
        hashes = _ngram_hashes(ids, self._n)
        low = np.searchsorted(self._hashes, hashes, side="left")
        high = np.searchsorted(self._hashes, hashes, side="right")
        found: dict[int, int] = {}
        for position in np.flatnonzero(high > low).tolist():
            for entry in range(low[position], high[position]):
                source, start = int(self._sources[entry]), self._starts[entry]
                if source not in found and np.array_equal(
                    ids[position : position + self._n],
                    self._texts[source][start : start + self._n],
                ):
                    found[source] = position
        return [(self._owners[source], position) for source, position in found.items()]


def units(text: str) -> list[str]:
    """The words and single characters that n-grams are made of."""
    return _UNIT.findall(unicodedata.normalize("NFKC", text).lower())


def contaminated(
    rows: Iterable[tuple[str, Sequence[str]]], evaluation: EvaluationTexts
) -> list[Removed]:
    """The rows to remove, in order. rows: id and texts (question, solution ...) of each."""
    found = ((row, evaluation.matches(texts)) for row, texts in rows)
    return [Removed(row, matches) for row, matches in found if matches]


def write_removed(removed: Sequence[Removed], path: Path) -> None:
    """The list of removed rows, a JSON object in each line."""
    path.write_text("".join(json.dumps(_as_json(each)) + "\n" for each in removed))


def _as_json(removed: Removed) -> dict[str, Any]:
    return {"row": removed.row, "matches": [asdict(match) for match in removed.matches]}


def _ngram_hashes(ids: Ids, n: int) -> NDArray[np.uint64]:
    """[units - n + 1] a polynomial in _FACTOR over each window, modulo 2^64."""
    count = max(0, len(ids) - n + 1)
    hashes = np.zeros(count, dtype=np.uint64)
    mixed = _mix(ids)
    for offset in range(n):
        hashes = hashes * _FACTOR + mixed[offset : offset + count]
    return hashes


def _mix(ids: Ids) -> NDArray[np.uint64]:
    """Spread small numbers over 64 bits (the finaliser of splitmix64)."""
    mixed = ids.astype(np.uint64) + _FACTOR
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
