"""Rules over data sets and the runs that make them; configs/checks.py runs them.

Each returns one line (setting, value, what is allowed, what to do) or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from configs.data_making import TextModelSettings
from configs.data_sets import ChatData, NanoData, ProblemData
from configs.facts import is_hub_name, model_facts
from configs.schema import AnyRunConfig, RlConfig, SampledDataConfig, SftConfig
from configs.shape import NANO_FACTS

FROM_FILES: Mapping[str, Sequence[str]] = {
    "nano": ("data=gsm8k", "data.path=FILE"),
    "nano_solutions": ("data=chat", "data.path=FILE"),
    "nano_preferences": ("data=preferences", "data.path=FILE"),
}
"""data.kind in the nano world -> words that choose data from elsewhere."""


def nano_data(config: AnyRunConfig) -> dict[str, Sequence[str]]:
    """Settings that take data of the nano world -> words that take it from files."""
    found: dict[str, Sequence[str]] = {}
    if config.data.kind in FROM_FILES:
        found[f"data.kind={config.data.kind}"] = FROM_FILES[config.data.kind]
    if isinstance(config, RlConfig) and config.data.general == "nano":
        found["data.general=nano"] = ("data.general=FILE",)
    if isinstance(config, SampledDataConfig) and config.recipe.general == "nano":
        found["recipe.general=nano"] = ("recipe.general=FILE",)
    return found


def nano_data_has_a_nano_model(config: AnyRunConfig) -> str | None:
    facts, nano = model_facts(config), NANO_FACTS["vocab_size"]
    if facts is None or facts.get("vocab_size", nano) == nano:
        return None
    lines = [
        f"{setting}: is of the nano world, whose vocabulary has {nano} tokens, and the model's "
        f"has {facts['vocab_size']}; set {' '.join(words)}"
        for setting, words in nano_data(config).items()
    ]
    return "\n".join(lines) or None


def tensor_parallel_needs_gpus(config: SampledDataConfig) -> str | None:
    if config.cluster.device == "cuda" or config.rollout.tensor_parallel == 1:
        return None
    return (
        f"rollout.tensor_parallel={config.rollout.tensor_parallel}: needs cluster.device=cuda; on "
        "the CPU it is 1, and rollout.samplers adds engines"
    )


def rule_is_the_nano_worlds(config: SampledDataConfig) -> str | None:
    if config.recipe.rewriter.by != "rule" or isinstance(config.data, NanoData):
        return None
    return (
        f"recipe.rewriter.by=rule: is for data=nano, not data.kind={config.data.kind}; take none, "
        "endpoint or model"
    )


def rewriter_is_named(config: SampledDataConfig) -> str | None:
    rewriter = config.recipe.rewriter
    return text_model_is_named("recipe.rewriter", rewriter.by, rewriter)


def judge_is_named(config: SampledDataConfig) -> str | None:
    return text_model_is_named("recipe.judge", config.recipe.judge.by, config.recipe.judge)


def text_model_is_named(where: str, by: str, asked: TextModelSettings) -> str | None:
    if by == "endpoint" and not (asked.url and asked.model):
        return (
            f"{where}.by=endpoint: needs {where}.url=http://HOST:PORT/v1 and the model's name "
            f"there as {where}.model=NAME"
        )
    if by == "model" and not (Path(asked.model).expanduser() / "config.json").is_file():
        return f"{where}.model={asked.model!r}: no model folder; name one with config.json in it"
    return None


def one_folder_for_both(config: SampledDataConfig) -> str | None:
    rewriter, judge = config.recipe.rewriter, config.recipe.judge
    if not rewriter.by == judge.by == "model" or rewriter.model == judge.model:
        return None
    return (
        f"recipe.judge.model={judge.model}: must be recipe.rewriter.model={rewriter.model} when "
        "both are by=model, since one of them at a time is loaded; serve one and take by=endpoint"
    )


def reviewed_needs_review(config: SampledDataConfig) -> str | None:
    recipe = config.recipe
    if not recipe.reviewed:
        return None
    if not recipe.review:
        return f"recipe.reviewed={recipe.reviewed}: needs recipe.review=true; add it or drop this"
    if not Path(recipe.reviewed).expanduser().is_file():
        return f"recipe.reviewed={recipe.reviewed}: no such file; name the edited review.jsonl"
    return None


def problem_data_is_there(config: RlConfig | SampledDataConfig) -> str | None:
    if not isinstance(config.data, ProblemData):
        return None
    return _rows_are_there("data.path", config.data.path)


def chat_data_is_there(config: SftConfig) -> str | None:
    if not isinstance(config.data, ChatData):
        return None
    return _rows_are_there("data.path", config.data.path)


def general_rows_are_there(config: SampledDataConfig) -> str | None:
    general = config.recipe.general
    return None if general in ("", "nano") else _rows_are_there("recipe.general", general)


def _rows_are_there(setting: str, path: str) -> str | None:
    """Whether it is a file, or may be a data set on the hub."""
    file = Path(path).expanduser()
    a_file_is_meant = file.suffix in (".jsonl", ".parquet")
    if file.exists() or (is_hub_name(path) and not a_file_is_meant):
        return None
    return (
        f"{setting}={path}: no such file; name a .jsonl or .parquet file, or a data set on the "
        "Hugging Face hub as owner/name"
    )


def judged_data_has_a_judge(config: SampledDataConfig) -> str | None:
    judged = isinstance(config.data, ProblemData) and config.data.checker == "judge"
    if not judged or config.recipe.judge.by != "none":
        return None
    return "data.checker=judge: needs recipe.judge.by=endpoint or model; name a judge"


def rules_can_check_the_data(config: RlConfig) -> str | None:
    if not isinstance(config.data, ProblemData) or config.data.checker != "judge":
        return None
    return (
        "data.checker=judge: no rule gives these answers a reward; take auto, math or code, or "
        "make training data with recipe=r1/rejection_sampling"
    )


DATA_MAKING_CHECKS: list[Callable[[SampledDataConfig], str | None]] = [
    tensor_parallel_needs_gpus,
    rule_is_the_nano_worlds,
    rewriter_is_named,
    judge_is_named,
    one_folder_for_both,
    reviewed_needs_review,
    judged_data_has_a_judge,
]
