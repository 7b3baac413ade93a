"""The paper's claims in miniature: `make claims`. Each is a comparison on the nano world, over
several seeds, with a plain word on whether it held.

RUNS/seed-0/r1 is the whole pipeline; the other folders beside it repeat one of its stages with one
thing changed. All of them are runs like any other, so that the command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launch import claims_measures
from launch.claims_measures import FELT_KL, Numbers
from launch.claims_plots import Curves, Dots, curves_svg, dots_svg, shown
from launch.claims_runs import CAP, RAISED_AT, Runs
from launch.run_folder import write_atomically
from launch.trackers import read_metrics

VISIBLE = 0.02
"""Less is called no difference; the confidence intervals of one seed are wider than this."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the paper says, how it is looked at here, and when it holds."""

    name: str
    text: str
    source: str
    measure: Callable[[Runs], Numbers]
    holds: Callable[[Numbers], bool]


CLAIMS = (
    Claim(
        "a1",
        "R1-Zero learns to reason by rule rewards alone, and its responses grow",
        "2, Fig. 1",
        claims_measures.learning,
        lambda n: (
            n["pass@1 after"] > n["pass@1 before"] + 0.2 and n["tokens after"] > n["tokens before"]
        ),
    ),
    Claim(
        "a2",
        f"raising the length cap gives a second rise (here from {CAP} tokens, after {RAISED_AT} "
        "steps)",
        "2, Fig. 1",
        claims_measures.length_cap,
        lambda n: (
            n["pass@1 with it raised"] > n["pass@1 before raising it"] + VISIBLE
            and n["pass@1 with it raised"] > n["pass@1 with it kept"] + VISIBLE
            and n["tokens with it raised"] > n["tokens with it kept"]
        ),
    ),
    Claim(
        "b",
        "a vote of 16 samples is right more often than one of them (at temperature 1; at the "
        "paper's 0.6 R1-Zero leaves little to win here)",
        "2.3",
        claims_measures.voting,
        lambda n: n["cons@16 at 1"] > n["pass@1 at 1"] + VISIBLE,
    ),
    Claim(
        "c1",
        "without a language reward R1-Zero mixes languages ever more; with it the language stays, "
        "at a small cost",
        "2.3; B.6, Fig. 7",
        claims_measures.languages,
        lambda n: (
            n["language without"] < n["language base"] - VISIBLE
            and n["language with"] > n["language base"] - VISIBLE
            and n["pass@1 with"] > n["pass@1 without"] - 0.1
        ),
    ),
    Claim(
        "c2",
        "so does RL after the cold start (Dev2)",
        "B.6, Fig. 7",
        claims_measures.languages_of_dev2,
        lambda n: (
            n["language with"] > n["language without"] + VISIBLE
            and n["pass@1 with"] > n["pass@1 without"] - 0.1
        ),
    ),
    Claim(
        "d",
        "the cold start lifts readability and costs reasoning, which RL restores",
        "Table 3",
        claims_measures.cold_start,
        lambda n: (
            n["language Dev1"] > n["language R1-Zero"] + VISIBLE
            and n["pass@1 Dev1"] < n["pass@1 R1-Zero"] - VISIBLE
            and n["pass@1 Dev2"] > n["pass@1 Dev1"] + VISIBLE
        ),
    ),
    Claim(
        "e1",
        "SFT on general data and the last RL stage lift preference without losing reasoning",
        "Table 3",
        claims_measures.all_scenarios,
        lambda n: (
            n["worth R1"] > n["worth Dev3"] + VISIBLE
            and n["worth Dev3"] > n["worth Dev2"] + VISIBLE
            and n["pass@1 R1"] > n["pass@1 Dev3"] - VISIBLE
        ),
    ),
    Claim(
        "e2",
        "preference rewards over the whole stage (here with three times their weight) are hacked: "
        "they rise while what they stand for, or reasoning, falls",
        "B.5, Fig. 6",
        claims_measures.hacking,
        lambda n: (
            n["preference, last steps"] > n["preference, first steps"] + VISIBLE
            and (
                n["true worth, last steps"] < n["true worth, best steps"] - VISIBLE
                or n["accuracy, last steps"] < n["accuracy, first steps"] - VISIBLE
            )
        ),
    ),
    Claim(
        "f",
        "a student distilled from R1 beats the same student trained by RL alone",
        "F.1, Table 15",
        claims_measures.distillation,
        lambda n: n["distilled"] > n["RL alone"] + VISIBLE,
    ),
    Claim(
        "g1",
        "a small clip epsilon costs performance",
        "3.2.1",
        claims_measures.clipping,
        lambda n: n["pass@1, epsilon 10"] > n["pass@1, epsilon 0.2"] + VISIBLE,
    ),
    Claim(
        "g2",
        "a reference that is refreshed lets the policy go further than a fixed one (here with a "
        f"KL weight of {FELT_KL}, so that it is felt within thirty steps; the paper's is 0.001)",
        "A.1",
        claims_measures.reference,
        lambda n: n["pass@1, refreshed"] > n["pass@1, fixed"] + VISIBLE,
    ),
)


def as_markdown(results: Mapping[str, Sequence[Numbers]], seeds: Sequence[int]) -> str:
    """results: claim -> its numbers for each seed."""
    lines = [
        "# The paper's claims on the nano world",
        "",
        "![all numbers, a dot for each seed](claims.svg)",
        "",
        "![what R1-Zero does over its steps](curves.svg)",
        "",
    ]
    for claim in CLAIMS:
        found = results[claim.name]
        lines += [
            f"## {claim.name}: {claim.text}",
            f"arXiv 2501.12948v2, {claim.source}. **Held with {_how_often(claim, found)} seeds.**",
            "",
            f"| | {' | '.join(f'seed {seed}' for seed in seeds)} |",
            f"|---|{'---|' * len(seeds)}",
            *(
                f"| {name} | {' | '.join(shown(name, numbers[name]) for numbers in found)} |"
                for name in found[0]
            ),
            "",
        ]
    return "\n".join(lines)


def _how_often(claim: Claim, found: Sequence[Numbers]) -> str:
    """Such as "2 of 3". found: the claim's numbers for each seed."""
    return f"{sum(claim.holds(numbers) for numbers in found)} of {len(found)}"


def as_dots(results: Mapping[str, Sequence[Numbers]]) -> list[Dots]:
    """results: claim -> its numbers for each seed."""
    found = []
    for claim in CLAIMS:
        of_seeds = results[claim.name]
        numbers = {name: [each[name] for each in of_seeds] for name in of_seeds[0]}
        verdict = f"held with {_how_often(claim, of_seeds)} seeds"
        found.append(Dots(f"{claim.name}: {claim.text}", verdict, numbers))
    return found


def curves(runs: Sequence[Runs]) -> list[Curves]:
    """What R1-Zero does over its steps, with three length caps."""
    free = [read_metrics(each.stage("zero") / "metrics.jsonl") for each in runs]
    kept = [read_metrics(each.capped / "metrics.jsonl") for each in runs]
    raised = [read_metrics(each.raised / "metrics.jsonl") for each in runs]
    accuracy = "reward/accuracy/mean"
    panels = (
        ("R1-Zero: share of right answers in training", accuracy, free, 1.0),
        ("R1-Zero: tokens per response", "response_length/mean", free, None),
        (f"The same, capped at {CAP} tokens: share of right answers", accuracy, kept, 1.0),
        (f"The same, the cap raised after {RAISED_AT} steps", accuracy, raised, 1.0),
    )
    return [
        Curves(title, [[line[metric] for line in lines] for lines in of_seeds], highest)
        for title, metric, of_seeds, highest in panels
    ]


def main(folder: Path, seeds: Sequence[int]) -> None:
    results: dict[str, list[Numbers]] = {claim.name: [] for claim in CLAIMS}
    of_seeds = [Runs(folder, seed) for seed in seeds]
    for runs in of_seeds:
        runs.pipeline()
        for claim in CLAIMS:
            results[claim.name].append(claim.measure(runs))
    write_atomically(folder / "claims.json", json.dumps(results, indent=2))
    write_atomically(folder / "claims.md", as_markdown(results, seeds))
    write_atomically(folder / "claims.svg", dots_svg(as_dots(results), seeds))
    write_atomically(folder / "curves.svg", curves_svg(curves(of_seeds), seeds))
    print(folder / "claims.md")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/claims"))
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    options = parser.parse_args()
    main(options.folder.absolute(), range(options.seeds))
