"""Which rollouts go into report.html, and how long a text may be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from launch.page.rollouts import Snapshot

REPORT_BYTES = 4_000_000
"""Of all rollouts in the report together."""
REPORT_STEPS = 12
REPORT_TEXT_CHARACTERS = 3_000
LIVE_TEXT_CHARACTERS = 6_000
HEAD_SHARE = 2 / 3
"""Of a shortened text, the part from its beginning; the rest is its end, where the answer is."""

EXPLANATION = (
    f"This file holds the first and the last evaluation and up to {REPORT_STEPS} steps: the first, "
    "the last and evenly many between them; of each, prompts in order until the file has its "
    "share. `launch view` shows everything that the run folder has."
)


def chosen_snapshots(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """First and last evaluation, and first, evenly spaced and last steps, in their order."""
    evaluations = [entry for entry in snapshots if entry.id.startswith("eval")]
    steps = [entry for entry in snapshots if not entry.id.startswith("eval")]
    chosen = {entry.id for entry in (*evaluations[:1], *evaluations[-1:])}
    chosen |= {steps[index].id for index in evenly_spaced(len(steps), REPORT_STEPS)}
    return [entry for entry in snapshots if entry.id in chosen]


def evenly_spaced(count: int, wanted: int) -> list[int]:
    """Indices from 0 to count - 1, both included, without doubles.

    evenly_spaced(50, 3) == [0, 24, 49]
    """
    if count <= wanted:
        return list(range(count))
    return [round(index * (count - 1) / (wanted - 1)) for index in range(wanted)]


def within_budget(
    groups: Mapping[str, Sequence[Mapping[str, Any]]], budget_bytes: int = REPORT_BYTES
) -> dict[str, list[dict[str, Any]]]:
    """The first groups of every snapshot, taken in turns, as many as the budget holds."""
    kept: dict[str, list[dict[str, Any]]] = {name: [] for name in groups}
    left = budget_bytes
    for turn in zip_longest(*groups.values()):
        for name, group in zip(groups, turn, strict=True):
            if group is None:
                continue
            short = shortened(group, REPORT_TEXT_CHARACTERS)
            left -= len(json.dumps(short, ensure_ascii=False).encode(errors="backslashreplace"))
            if left < 0:
                return kept
            kept[name].append(short)
    return kept


def shortened(group: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """The group with texts of at most about `limit` characters; "cut" counts what is missing."""
    return {
        **group,
        "prompt": clip(group["prompt"], limit)[0],
        "completions": [_short_completion(entry, limit) for entry in group["completions"]],
    }


def _short_completion(entry: Mapping[str, Any], limit: int) -> dict[str, Any]:
    text, cut = clip(entry["text"], limit)
    extracted = entry["extracted"]
    if extracted is not None:
        extracted, _ = clip(extracted, limit // 10)
    return {**entry, "text": text, "cut": cut, "extracted": extracted}


def clip(text: str, limit: int) -> tuple[str, int]:
    """The text, or its beginning and end around a note; and the number of characters left out."""
    cut = len(text) - limit
    if cut <= 0:
        return text, 0
    head = int(limit * HEAD_SHARE)
    return f"{text[:head]}\n[... {cut:,} characters ...]\n{text[head + cut :]}", cut
