"""When a claim holds, and that it can fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launch.claims import CLAIMS, Claim, as_dots, as_markdown, curves
from launch.claims_measures import Numbers
from launch.claims_runs import Runs

HOLDING: dict[str, Numbers] = {
    "a1": {"pass@1 before": 0.2, "pass@1 after": 0.9, "tokens before": 12.0, "tokens after": 17.0},
    "a2": {
        "pass@1 before raising it": 0.6,
        "pass@1 with it raised": 0.85,
        "pass@1 with it kept": 0.7,
        "tokens before raising it": 14.0,
        "tokens with it raised": 16.0,
        "tokens with it kept": 14.5,
    },
    "b": {"pass@1 at 0.6": 0.97, "pass@1 at 1": 0.7, "cons@16 at 0.6": 0.97, "cons@16 at 1": 0.8},
    "c1": {
        "language base": 0.8,
        "language without": 0.6,
        "language with": 0.99,
        "pass@1 base": 0.2,
        "pass@1 without": 0.9,
        "pass@1 with": 0.88,
    },
    "c2": {
        "language without": 0.6,
        "language with": 0.99,
        "pass@1 without": 0.9,
        "pass@1 with": 0.88,
    },
    "d": {
        "pass@1 R1-Zero": 0.95,
        "pass@1 Dev1": 0.8,
        "pass@1 Dev2": 0.9,
        "language R1-Zero": 0.7,
        "language Dev1": 0.98,
        "language Dev2": 0.99,
    },
    "e1": {
        "worth Dev2": 0.1,
        "worth Dev3": 0.3,
        "worth R1": 0.6,
        "pass@1 Dev2": 0.9,
        "pass@1 Dev3": 0.85,
        "pass@1 R1": 0.86,
    },
    "e2": {
        "preference, first steps": 0.5,
        "preference, last steps": 0.9,
        "true worth, best steps": 0.6,
        "true worth, last steps": 0.4,
        "accuracy, first steps": 0.8,
        "accuracy, last steps": 0.8,
    },
    "f": {"distilled": 0.5, "RL alone": 0.2},
    "g1": {
        "pass@1, epsilon 0.2": 0.7,
        "pass@1, epsilon 10": 0.8,
        "of the tokens clipped at 0.2": 0.01,
    },
    "g2": {"pass@1, fixed": 0.7, "pass@1, refreshed": 0.8},
}
DECIDING: dict[str, str] = {
    "a1": "pass@1 after",
    "a2": "pass@1 with it raised",
    "b": "cons@16 at 1",
    "c1": "language with",
    "c2": "language with",
    "d": "pass@1 Dev2",
    "e1": "worth R1",
    "e2": "preference, last steps",
    "f": "distilled",
    "g1": "pass@1, epsilon 10",
    "g2": "pass@1, refreshed",
}
"""A number of each whose fall to nothing refutes the claim."""


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_every_claim_can_hold_and_can_fail(claim: Claim) -> None:
    numbers = HOLDING[claim.name]
    assert claim.holds(numbers)
    assert not claim.holds(numbers | {DECIDING[claim.name]: 0.0})


def test_hacking_shows_in_the_truth_or_in_reasoning() -> None:
    (claim,) = (claim for claim in CLAIMS if claim.name == "e2")
    harmless = HOLDING["e2"] | {"true worth, last steps": 0.6}
    assert not claim.holds(harmless)
    assert claim.holds(harmless | {"accuracy, last steps": 0.7})


def test_the_page_says_plainly_how_often_it_held() -> None:
    results = {name: [numbers, numbers] for name, numbers in HOLDING.items()}
    results["f"] = [HOLDING["f"], HOLDING["f"] | {"distilled": 0.1}]
    page = as_markdown(results, [0, 1])
    assert page.count("**Held with 2 of 2 seeds.**") == len(CLAIMS) - 1
    assert "**Held with 1 of 2 seeds.**" in page
    assert "| distilled | 50.0 % | 10.0 % |" in page and "| tokens after | 17.0 | 17.0 |" in page


def test_the_drawing_has_every_number_and_the_same_verdicts() -> None:
    failing = HOLDING["b"] | {"cons@16 at 1": 0.0}
    results = {name: [numbers, numbers] for name, numbers in HOLDING.items()}
    dots = {
        each.title[:2].strip(":"): each
        for each in as_dots(results | {"b": [HOLDING["b"], failing]})
    }
    assert dots["b"].numbers["pass@1 at 1"] == [0.7, 0.7]
    assert dots["b"].numbers["cons@16 at 1"] == [0.8, 0.0]
    assert dots["b"].verdict == "held with 1 of 2 seeds"
    assert {each.verdict for name, each in dots.items() if name != "b"} == {
        "held with 2 of 2 seeds"
    }
    assert [list(each.numbers) for each in dots.values()] == [
        list(each) for each in HOLDING.values()
    ]


def test_the_curves_are_those_of_each_seed_and_no_run_is_started_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def pretend(self: Runs, *words: str) -> None:
        started.append(words[-1])

    monkeypatch.setattr(Runs, "_run", pretend)
    for seed in (0, 1):
        for place, accuracy in (("r1/stages/zero", 0.5), ("capped", 0.25), ("raised", 0.75)):
            folder = tmp_path / f"seed-{seed}" / place
            folder.mkdir(parents=True)
            line = {
                "reward/accuracy/mean": accuracy,
                "response_length/mean": 10.0 * accuracy + seed,
            }
            (folder / "metrics.jsonl").write_text(json.dumps({"step": 1, **line}) + "\n")
    runs = [Runs(tmp_path, 0), Runs(tmp_path, 1)]
    values = [panel.values for panel in curves(runs)]
    assert values == [[[0.5], [0.5]], [[5.0], [6.0]], [[0.25], [0.25]], [[0.75], [0.75]]]
    curves(runs)
    assert sorted(started) == sorted(
        f"run_dir={tmp_path}/seed-{seed}/{name}" for seed in (0, 1) for name in ("capped", "raised")
    )
