"""The paper's claims in miniature: `make claims`. Each is a comparison on the nano world, over
several seeds, with a plain word on whether it held.

RUNS/seed-0/r1 is the whole pipeline; the other folders beside it repeat one of its stages with one
thing changed. All of them are runs like any other, so that the command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from launch.child import run_child
from launch.claims_plots import Curves, Dots, curves_svg, dots_svg, shown
from launch.run_folder import write_atomically
from launch.stages import quoted
from launch.trackers import read_metrics
from recipes.evaluation import Evaluation, from_json

Numbers = dict[str, float]
VISIBLE = 0.02
"""Less is called no difference; the confidence intervals of one seed are wider than this."""
NEVER = 10**6
"""Updates: more than any of these runs has."""


class Runs:
    """The runs of one seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder / f"seed-{seed}"
        self._seed = seed

    def pipeline(self) -> None:
        self._run("recipe=r1", f"seed={self._seed}", f"run_dir={self._folder / 'r1'}")

    def stage(self, name: str) -> Path:
        """Folder of a stage of the pipeline."""
        return self._folder / "r1" / "stages" / name

    def changed(self, name: str, stage: str, *words: str) -> Path:
        """Folder of a run like a stage, with other settings."""
        recipe = [f"recipe=r1/{stage}", f"scale=r1/{stage}_nano_v3", f"seed={self._seed}"]
        self._run(*recipe, *words, f"run_dir={self._folder / name}")
        return self._folder / name

    @cached_property
    def length_cap(self) -> Path:
        """Folder of a run of R1-Zero whose cap on the length is raised in its middle."""
        capped = ["recipe.steps=60", "recipe.eval_every=30", "rollout.max_tokens=14"]
        return self.changed("cap", "zero", *capped, "rollout.max_tokens_schedule={120: 48}")

    def measures(self) -> Mapping[str, Any]:
        """Stage -> benchmark -> measures, of the pipeline's own evaluation."""
        return json.loads((self.stage("evaluation") / "measures.json").read_text())

    def evaluated(self, name: str, run: Path) -> Mapping[str, Any]:
        """Benchmark -> measures of a changed run's model, measured as the pipeline's."""
        model = f"models.{name}.path={quoted(run / 'final')}"
        folder = self.changed(f"{run.name}-evaluation", "evaluation", model)
        return json.loads((folder / "measures.json").read_text())[name]

    def _run(self, *words: str) -> None:
        code = run_child("launch.cli", "run", *words)
        if code != 0:
            sys.exit(code if code > 0 else 1)


@dataclass(frozen=True, slots=True)
class Claim:
    """What the paper says, how it is looked at here, and when it holds."""

    name: str
    text: str
    source: str
    measure: Callable[[Runs], Numbers]
    holds: Callable[[Numbers], bool]


def evaluations(run: Path) -> list[Evaluation]:
    """Of a run of reinforcement learning, at temperature 1, in order."""
    paths = sorted((run / "eval").glob("step-*.json"))
    return [from_json(path.read_text())[0] for path in paths]


def pass_at_1(measures: Mapping[str, Any]) -> float:
    return measures["nano"]["pass_at"]["1"]["value"]


def worth(measures: Mapping[str, Any]) -> float:
    """Of answers to open requests, both sets alike; no reward model sees it."""
    return (measures["nano_helpful"]["worth"] + measures["nano_safety"]["worth"]) / 2


def _zero(runs: Runs) -> Numbers:
    first, *_, last = evaluations(runs.stage("zero"))
    return _rise({"before": first, "after": last})


def _length_cap(runs: Runs) -> Numbers:
    _, at_cap, after = evaluations(runs.length_cap)
    return _rise({"at a cap of 14": at_cap, "after raising it": after})


def _rise(found: Mapping[str, Evaluation]) -> Numbers:
    """found: when -> evaluation."""
    return {
        **{f"pass@1 {when}": each.pass_at_1 for when, each in found.items()},
        **{f"tokens {when}": each.mean_length for when, each in found.items()},
    }


def _votes(runs: Runs) -> Numbers:
    measures = runs.measures()["zero"]
    return {"pass@1": pass_at_1(measures), "cons@16": measures["nano"]["cons"]["value"]}


def _language(runs: Runs) -> Numbers:
    model = f"model.path={runs.stage('sft_cold_start') / 'final'}"
    without = runs.changed("no-language", "rl_reasoning", model, "reward.language=0")
    bare, rewarded = runs.evaluated("bare", without), runs.measures()["rl_reasoning"]
    return {
        "language without": bare["nano"]["language_consistency"],
        "language with": rewarded["nano"]["language_consistency"],
        "pass@1 without": pass_at_1(bare),
        "pass@1 with": pass_at_1(rewarded),
    }


def _cold_start(runs: Runs) -> Numbers:
    table = runs.measures()
    stages = {"R1-Zero": "zero", "Dev1": "sft_cold_start", "Dev2": "rl_reasoning"}
    return {
        **{f"pass@1 {title}": pass_at_1(table[name]) for title, name in stages.items()},
        **{
            f"language {title}": table[name]["nano"]["language_consistency"]
            for title, name in stages.items()
        },
    }


def _all_scenarios(runs: Runs) -> Numbers:
    table = runs.measures()
    stages = {"Dev2": "rl_reasoning", "Dev3": "sft_800k", "R1": "rl_all"}
    return {
        **{f"worth {title}": worth(table[name]) for title, name in stages.items()},
        **{f"pass@1 {title}": pass_at_1(table[name]) for title, name in stages.items()},
    }


def _hacking(runs: Runs) -> Numbers:
    models = {
        "model.path": "sft_800k",
        "reward.helpful_model": "reward_helpful",
        "reward.safety_model": "reward_safety",
    }
    words = [f"{setting}={runs.stage(stage) / 'final'}" for setting, stage in models.items()]
    always = ["recipe.general_from_step=0", "recipe.steps=60", "reward.preference=3"]
    lines = read_metrics(runs.changed("always", "rl_all", *words, *always) / "metrics.jsonl")
    preference = [line["reward/preference/mean"] for line in lines]
    truth = [line["reward/true_preference/mean"] for line in lines]
    accuracy = [line["reward/accuracy/mean"] for line in lines]
    return {
        "preference, first steps": _mean(preference[:5]),
        "preference, last steps": _mean(preference[-5:]),
        "true worth, best steps": max(_mean(truth[i : i + 5]) for i in range(len(truth) - 4)),
        "true worth, last steps": _mean(truth[-5:]),
        "accuracy, first steps": _mean(accuracy[:5]),
        "accuracy, last steps": _mean(accuracy[-5:]),
    }


def _distillation(runs: Runs) -> Numbers:
    table = runs.measures()
    return {"distilled": pass_at_1(table["distill"]), "RL alone": pass_at_1(table["student_rl"])}


def _clipping(runs: Runs) -> Numbers:
    model = f"model.path={runs.stage('sft_cold_start') / 'final'}"
    words = [model, "algorithm.clip_low=0.2", "algorithm.clip_high=0.2"]
    tight = evaluations(runs.changed("clip-0.2", "rl_reasoning", *words))[-1]
    wide = evaluations(runs.stage("rl_reasoning"))[-1]
    return {"pass@1, epsilon 0.2": tight.pass_at_1, "pass@1, epsilon 10": wide.pass_at_1}


def _reference(runs: Runs) -> Numbers:
    words = [f"algorithm.reference_refresh_updates={NEVER}", "algorithm.kl_coef=0.05"]
    fixed = evaluations(runs.changed("fixed-reference", "zero", *words))[-1]
    words = ["algorithm.reference_refresh_updates=20", "algorithm.kl_coef=0.05"]
    fresh = evaluations(runs.changed("fresh-reference", "zero", *words))[-1]
    return {"pass@1, fixed": fixed.pass_at_1, "pass@1, refreshed": fresh.pass_at_1}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


CLAIMS = (
    Claim(
        "a1",
        "R1-Zero learns to reason by rule rewards alone, and its responses grow",
        "2, Fig. 1",
        _zero,
        lambda n: (
            n["pass@1 after"] > n["pass@1 before"] + 0.2 and n["tokens after"] > n["tokens before"]
        ),
    ),
    Claim(
        "a2",
        "raising the length cap in the middle gives a second rise",
        "2, Fig. 1",
        _length_cap,
        lambda n: (
            n["pass@1 after raising it"] > n["pass@1 at a cap of 14"] + 0.05
            and n["tokens after raising it"] > n["tokens at a cap of 14"] + 0.5
        ),
    ),
    Claim(
        "b",
        "a vote of 16 samples is right more often than one of them",
        "2.3",
        _votes,
        lambda n: n["cons@16"] > n["pass@1"] + VISIBLE,
    ),
    Claim(
        "c",
        "the language reward keeps the language, at a small cost",
        "B.6, Fig. 7",
        _language,
        lambda n: (
            n["language with"] > n["language without"] + VISIBLE
            and n["pass@1 with"] > n["pass@1 without"] - 0.1
        ),
    ),
    Claim(
        "d",
        "the cold start lifts readability and costs reasoning, which RL restores",
        "Table 3",
        _cold_start,
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
        _all_scenarios,
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
        _hacking,
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
        _distillation,
        lambda n: n["distilled"] > n["RL alone"] + VISIBLE,
    ),
    Claim(
        "g1",
        "a small clip epsilon costs performance",
        "3.2.1",
        _clipping,
        lambda n: n["pass@1, epsilon 10"] > n["pass@1, epsilon 0.2"] + VISIBLE,
    ),
    Claim(
        "g2",
        "a reference that is refreshed lets the policy go further than a fixed one",
        "A.1",
        _reference,
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
    """What R1-Zero does over its steps, with one length cap and with two."""
    free = [read_metrics(each.stage("zero") / "metrics.jsonl") for each in runs]
    capped = [read_metrics(each.length_cap / "metrics.jsonl") for each in runs]
    panels = (
        ("R1-Zero: share of right answers in training", "reward/accuracy/mean", free, 1.0),
        ("R1-Zero: tokens per response", "response_length/mean", free, None),
        ("The same, capped at 14 tokens for 30 steps", "response_length/mean", capped, None),
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
