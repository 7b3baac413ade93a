"""What each of the claims is measured by: numbers of a seed's pipeline, and of its stages with one
thing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from configs.schema import NanoModel
from launch.claims_runs import Runs, evaluations, language, pass_at_1, votes, worth
from launch.trackers import read_metrics
from recipes.evaluation import Evaluation
from recipes.nano_base import build_base

Numbers = dict[str, float]
FELT_KL = 1.0
NEVER = 10**6
"""Updates: more than any of these runs has."""


def learning(runs: Runs) -> Numbers:
    first, *_, last = evaluations(runs.stage("zero"))
    return _rise({"before": first, "after": last})


def length_cap(runs: Runs) -> Numbers:
    _, before, *_, after = evaluations(runs.raised)
    kept = evaluations(runs.capped)[-1]
    return _rise({"before raising it": before, "with it raised": after, "with it kept": kept})


def _rise(found: Mapping[str, Evaluation]) -> Numbers:
    """found: when -> evaluation."""
    return {
        **{f"pass@1 {when}": each.pass_at_1 for when, each in found.items()},
        **{f"tokens {when}": each.mean_length for when, each in found.items()},
    }


def voting(runs: Runs) -> Numbers:
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


def languages(runs: Runs) -> Numbers:
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


def languages_of_dev2(runs: Runs) -> Numbers:
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


def cold_start(runs: Runs) -> Numbers:
    table = runs.measures()
    stages = {"R1-Zero": "zero", "Dev1": "sft_cold_start", "Dev2": "rl_reasoning"}
    return {
        **{f"pass@1 {title}": pass_at_1(table[name]) for title, name in stages.items()},
        **{f"language {title}": language(table[name]) for title, name in stages.items()},
    }


def all_scenarios(runs: Runs) -> Numbers:
    table = runs.measures()
    stages = {"Dev2": "rl_reasoning", "Dev3": "sft_800k", "R1": "rl_all"}
    return {
        **{f"worth {title}": worth(table[name]) for title, name in stages.items()},
        **{f"pass@1 {title}": pass_at_1(table[name]) for title, name in stages.items()},
    }


def hacking(runs: Runs) -> Numbers:
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


def distillation(runs: Runs) -> Numbers:
    table = runs.measures()
    return {"distilled": pass_at_1(table["distill"]), "RL alone": pass_at_1(table["student_rl"])}


def clipping(runs: Runs) -> Numbers:
    model = f"model.path={runs.stage('sft_cold_start') / 'final'}"
    words = [model, "algorithm.clip_low=0.2", "algorithm.clip_high=0.2"]
    tight = runs.changed("clip-0.2", "rl_reasoning", *words)
    clipped = [line["actor/pg_clipfrac"] for line in read_metrics(tight / "metrics.jsonl")]
    return {
        "pass@1, epsilon 0.2": evaluations(tight)[-1].pass_at_1,
        "pass@1, epsilon 10": evaluations(runs.stage("rl_reasoning"))[-1].pass_at_1,
        "of the tokens clipped at 0.2": _mean(clipped),
    }


def reference(runs: Runs) -> Numbers:
    found: Numbers = {}
    for name, updates in {"fixed": NEVER, "refreshed": 20}.items():
        words = [f"algorithm.reference_refresh_updates={updates}", f"algorithm.kl_coef={FELT_KL}"]
        last = evaluations(runs.changed(f"reference-{name}", "zero", *words))[-1]
        found[f"pass@1, {name}"] = last.pass_at_1
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
