"""Which rollouts the report holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from launch.page.rollouts import Snapshot
from launch.page.selection import (
    REPORT_STEPS,
    REPORT_TEXT_CHARACTERS,
    chosen_snapshots,
    clip,
    evenly_spaced,
    shortened,
    within_budget,
)


def snapshot(name: str) -> Snapshot:
    return Snapshot(name, int(name.removeprefix("eval-")), (Path(name),), sampled=False)


def one_group(text: str) -> dict[str, Any]:
    return {"prompt": "p", "completions": [{"text": text, "extracted": None}]}


def test_first_and_last_are_always_chosen() -> None:
    steps = [snapshot(str(step)) for step in range(1, 101)]
    evaluations = [snapshot(f"eval-{step}") for step in (0, 50, 100)]
    ids = [entry.id for entry in chosen_snapshots([evaluations[0], *steps, *evaluations[1:]])]
    assert ids[:2] == ["eval-0", "1"] and ids[-2:] == ["100", "eval-100"]
    assert "eval-50" not in ids and len(ids) == REPORT_STEPS + 2
    assert chosen_snapshots([]) == []


def test_evenly_spaced() -> None:
    assert evenly_spaced(50, 3) == [0, 24, 49]
    assert evenly_spaced(3, 12) == [0, 1, 2]
    assert len(set(evenly_spaced(13, 12))) == 12


def test_the_budget_is_shared_in_turns() -> None:
    big, small = one_group("x" * 1000), one_group("y")
    kept = within_budget({"a": [big] * 10, "b": [small] * 10}, budget_bytes=5000)
    size = sum(len(json.dumps(group)) for groups in kept.values() for group in groups)
    assert len(kept["a"]) == 4 and len(kept["b"]) == 4 and size <= 5000
    assert {name: len(groups) for name, groups in within_budget({"a": [big]}).items()} == {"a": 1}


def test_clip_keeps_the_beginning_and_the_answer() -> None:
    text = "<think>" + "t" * 4000 + "</think><answer>7</answer>"
    short, cut = clip(text, REPORT_TEXT_CHARACTERS)
    assert short.startswith("<think>ttt") and short.endswith("</think><answer>7</answer>")
    head, note, tail = short.split("\n")
    assert len(head) + len(tail) == REPORT_TEXT_CHARACTERS == len(text) - cut
    assert note == f"[... {cut:,} characters ...]"
    assert clip("short", 5) == ("short", 0)


def test_shortened_groups_say_what_is_missing() -> None:
    group = one_group("x" * 120)
    assert shortened(group, 100)["completions"][0]["cut"] == 20
    assert shortened(group, 120)["completions"][0]["cut"] == 0
    assert "cut" not in group["completions"][0]
