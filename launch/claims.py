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

from configs.schema import NanoModel
from launch.claims_plots import Curves, Dots, curves_svg, dots_svg, shown
from launch.claims_runs import CAP, RAISED_AT, Runs, evaluations, language, pass_at_1, votes, worth
from launch.run_folder import write_atomically
from launch.trackers import read_metrics
from recipes.evaluation import Evaluation
from recipes.nano_base import build_base

Numbers = dict[str, float]
VISIBLE = 0.02
"""Less is called no difference; the confidence intervals of one seed are wider than this."""
NEVER = 10**6
"""Updates: more than any of these runs has."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the paper says, how it is looked at here, and when it holds."""

    name: str
    text: str
    source: str
    measure: Callable[[Runs], Numbers]
    holds: Callable[[Numbers], bool]


def _zero(runs: Runs) -> Numbers:
    first, *_, last = evaluations(runs.stage("zero"))
    return _rise({"before": first, "after": last})


def _length_cap(runs: Runs) -> Numbers:
    _, before, *_, after = evaluations(runs.raised)
    kept = evaluations(runs.capped)[-1]
    return _rise({"before raising it": before, "with it raised": after, "with it kept": kept})


def _rise(found: Mapping[str, Evaluation]) -> Numbers:
    """found: when -> evaluation."""
    return {
        **{f"pass@1 {when}": each.pass_at_1 for when, each in found.items()},
        **{f"tokens {when}": each.mean_length for when, each in found.items()},
    }


def _votes(runs: Runs) -> Numbers:
    models = {"zero": runs.stage("zero") / "final"}
    words = ["models.zero.template=r1_zero", "recipe.benchmark=nano"]
    free = ["recipe.temperature=1", "recipe.top_p=1"]
    found = {
        "at 0.6": runs.measures(),
        "at 1": runs.evaluated("votes", models, *words, *free),
    }
    return {
        **{f"pass@1 {when}": pass_at_1(each["zero"]) for when, each in found.items()},
        **{f"cons@16 {when}": votes(each["zero"]) for when, each in found.items()},
    }


def _language(runs: Runs) -> Numbers:
    """The base model and R1-Zero; in Dev1 there is hardly a mixed answer left to decay from."""
    rewarded = runs.changed(
        "zero-language", "zero", "reward.language=1", "reward.min_language_words=1"
    )
    models = {"base": build_base(NanoModel()), "rewarded": rewarded / "final"}
    words = [f"models.{model}.template=r1_zero" for model in models]
    found = runs.evaluated("language", models, *words, "recipe.benchmark=nano")
    shown = {
        "base": found["base"],
        "without": runs.measures()["zero"],
        "with": found["rewarded"],
    }
    return {
        **{f"language {name}": language(each) for name, each in shown.items()},
        **{f"pass@1 {name}": pass_at_1(each) for name, each in shown.items()},
    }


def _language_of_dev2(runs: Runs) -> Numbers:
    model = f"model.path={runs.stage('sft_cold_start') / 'final'}"
    without = runs.changed("no-language", "rl_reasoning", model, "reward.language=0") / "final"
    shown = {
        "without": runs.evaluated("no-language-evaluation", {"bare": without})["bare"],
        "with": runs.measures()["rl_reasoning"],
    }
    return {
        **{f"language {name}": language(each) for name, each in shown.items()},
        **{f"pass@1 {name}": pass_at_1(each) for name, each in shown.items()},
    }


def _cold_start(runs: Runs) -> Numbers:
    table = runs.measures()
    stages = {"R1-Zero": "zero", "Dev1": "sft_cold_start", "Dev2": "rl_reasoning"}
    return {
        **{f"pass@1 {title}": pass_at_1(table[name]) for title, name in stages.items()},
        **{f"language {title}": language(table[name]) for title, name in stages.items()},
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
    tight = runs.changed("clip-0.2", "rl_reasoning", *words)
    clipped = [line["actor/pg_clipfrac"] for line in read_metrics(tight / "metrics.jsonl")]
    return {
        "pass@1, epsilon 0.2": evaluations(tight)[-1].pass_at_1,
        "pass@1, epsilon 10": evaluations(runs.stage("rl_reasoning"))[-1].pass_at_1,
        "of the tokens clipped at 0.2": _mean(clipped),
    }


def _reference(runs: Runs) -> Numbers:
    """With a weight of the KL term that is felt within so short a run; the paper's is 0.001."""
    found: Numbers = {}
    for name, updates in {"fixed": NEVER, "refreshed": 20}.items():
        words = [f"algorithm.reference_refresh_updates={updates}", "algorithm.kl_coef=1.0"]
        last = evaluations(runs.changed(f"reference-{name}", "zero", *words))[-1]
        found[f"pass@1, {name}"] = last.pass_at_1
    return found


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
        f"raising the length cap gives a second rise (here from {CAP} tokens, after {RAISED_AT} "
        "steps)",
        "2, Fig. 1",
        _length_cap,
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
        _votes,
        lambda n: n["cons@16 at 1"] > n["pass@1 at 1"] + VISIBLE,
    ),
    Claim(
        "c1",
        "without a language reward R1-Zero mixes languages ever more; with it the language stays, "
        "at a small cost",
        "2.3; B.6, Fig. 7",
        _language,
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
        _language_of_dev2,
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
