"""Replies that are kept are found again, whatever happened to the file's last line."""

from __future__ import annotations

from pathlib import Path

from recipes.kept_replies import KeptReplies, Unusable


def test_what_is_kept_is_found_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    kept = KeptReplies(path, "m")
    assert (kept.find("q", 0), len(kept)) == (None, 0)
    kept.keep("q", 0, "first\nline")
    kept.keep("q", 1, "second 数 \ud800")
    kept.keep("p", 0, Unusable("empty"))
    for each in (kept, KeptReplies(path, "m")):
        assert [each.find("q", 0), each.find("q", 1)] == ["first\nline", "second 数 \ud800"]
        assert (each.find("p", 0), each.find("p", 1), len(each)) == (Unusable("empty"), None, 3)
    assert len(KeptReplies(path, "another")) == 0


def test_a_torn_line_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    kept = KeptReplies(path, "m")
    kept.keep("a", 0, "A")
    kept.keep("b", 0, "B")
    path.write_bytes(path.read_bytes()[:-9])
    for _ in range(2):
        kept = KeptReplies(path, "m")
        if kept.find("b", 0) is None:
            kept.keep("b", 0, "B again")
        kept.keep("c", 0, "C")
        assert [kept.find(each, 0) for each in "abc"] == ["A", "B again", "C"]
    assert path.read_bytes().count(b"B again") == 1
