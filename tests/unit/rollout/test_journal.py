from __future__ import annotations

import errno
import logging
import math
import os
import struct
from pathlib import Path

import pytest

from configs.errors import UserError
from rl.records import Completion, Group, Outcome, Prompt, Score
from rollout.journal import Journal

LOG_PROBS = (
    -0.1,
    -1e-45,
    -0.0,
    -float("inf"),
    float("nan"),
    struct.unpack("f", b"\x01\x02\x03\xbf")[0],
)


def group(name: str, samples: int = 2) -> Group:
    prompt = Prompt(
        id=name,
        text="用户: 3+4=?\n\0",
        token_ids=(5, 12, 319),
        answer="7",
        metadata={"kind": "add", "language": "zh"},
    )
    return Group(
        prompt=prompt,
        completions=tuple(
            Completion(name, k, "<think>7</think> ", (8, 9, 1), LOG_PROBS[:3], 3, "stop")
            for k in range(samples)
        ),
        scores=(
            Score(2.0, Outcome.CORRECT, {"format": 1.0, "accuracy": 1.0}),
            *(Score(None, Outcome.CHECKER_ERROR, {}) for _ in range(samples - 1)),
        ),
    )


def test_groups_come_back_equal_and_by_wave(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    waves = {0: [group("a"), group("b", samples=3)], 1: [group("c")]}
    for wave, groups in waves.items():
        journal.write(12, wave, groups)
    journal.write(13, 0, [group("d")])
    assert Journal(tmp_path / "journal").read(12) == waves
    assert journal.read(14) == {}
    parts = journal.read(12)[0][0].scores[0].parts
    assert list(parts) == ["format", "accuracy"], "order is kept"


def test_two_groups_of_the_same_prompt_stay_two(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(0, 0, [group("a"), group("a")])
    assert len(journal.read(0)[0]) == 2


def test_log_probs_keep_their_bits(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    original = Completion("a", 0, "", tuple(range(6)), LOG_PROBS, 0, "length")
    prompt = Prompt("a", "", (1,), "")
    score = Score(math.nextafter(1.0, 2.0), Outcome.WRONG, {})
    journal.write(1, 0, [Group(prompt, (original,), (score,))])
    (found,) = journal.read(1)[0]
    assert found.scores == (score,)
    for ours, his in zip(original.log_probs, found.completions[0].log_probs, strict=True):
        assert struct.pack("d", ours) == struct.pack("d", his)


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "renamed"])
def test_a_damaged_file_counts_as_absent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    journal = Journal(tmp_path)
    for wave in (0, 1):
        journal.write(2, wave, [group(f"wave {wave}")])
    path = next(tmp_path.glob("000002-0001-*"))
    content = path.read_bytes()
    flipped = content[:60] + bytes([content[60] ^ 1]) + content[61:]
    if damage == "renamed":
        path.rename(tmp_path / f"000002-0001-{'0' * 32}.parquet")
    else:
        path.write_bytes({"torn": content[:-7], "flipped": flipped, "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        assert list(journal.read(2)) == [0]
    assert "000002-0001" in caplog.text and "generated again" in caplog.text
    journal.write(2, 1, [group("again")])
    assert journal.read(2)[1] == [group("again")]
    assert len(list(tmp_path.glob("000002-0001-*"))) == 1


def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        journal.write(0, 0, [group("a")])
    assert journal.read(0) == {}
    assert len(list(tmp_path.iterdir())) == 1, "the unfinished file, as after a kill"
    assert Journal(tmp_path).read(0) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_the_users_to_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=f"no space left .* in {tmp_path}; free some space"):
        journal.write(0, 0, [group("a")])
    assert list(tmp_path.iterdir()) == []


def test_other_disk_errors_are_not_disguised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        Journal(tmp_path).write(0, 0, [group("a")])
    assert list(tmp_path.iterdir()) == []


def test_old_steps_are_discarded(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (8, 9, 10, 100):
        journal.write(step, 0, [group("a")])
    journal.discard_before(10)
    assert [bool(journal.read(step)) for step in (8, 9, 10, 100)] == [False, False, True, True]


def test_any_parquet_tool_can_read_it(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    Journal(tmp_path).write(0, 0, [group("a"), group("b")])
    table = pq.read_table(next(tmp_path.iterdir()))
    assert table.num_rows == 4
    assert table.column("reward").to_pylist() == [2.0, None, 2.0, None]
