"""Rules over several settings of fine-tuning and of reward models; configs/checks.py runs them.

Each returns one line (setting, value, what is allowed, what to do) or None.
"""

from __future__ import annotations

from pathlib import Path

from configs.data_checks import text_model_is_named
from configs.reward_models import NanoPreferences, PreferenceData
from configs.schema import FolderModel, RewardModelConfig, SftConfig


def rows_hold_longest_sequence(config: SftConfig) -> str | None:
    if config.learner.row_tokens >= config.data.max_tokens:
        return None
    return (
        f"learner.row_tokens={config.learner.row_tokens}: must hold the longest sequence, "
        f"data.max_tokens={config.data.max_tokens}; raise the former or lower the latter"
    )


def rows_hold_longest_pair(config: RewardModelConfig) -> str | None:
    responses = 2 if config.recipe.objective == "pairwise" else 1
    needed = responses * config.data.max_tokens
    if config.learner.row_tokens >= needed:
        return None
    return (
        f"learner.row_tokens={config.learner.row_tokens}: must hold {responses} of at most "
        f"data.max_tokens={config.data.max_tokens} tokens, {needed}; raise the former or lower the "
        "latter"
    )


def preferences_fit_model(config: RewardModelConfig) -> str | None:
    if isinstance(config.model, FolderModel) or isinstance(config.data, NanoPreferences):
        return None
    return (
        f"data.kind={config.data.kind}: the nano model's vocabulary covers data=nano_preferences "
        "only; choose model=folder"
    )


def pair_judge_is_named(config: RewardModelConfig) -> str | None:
    return text_model_is_named("judge", config.judge.by, config.judge)


def verdicts_are_in_both_orders(config: RewardModelConfig) -> str | None:
    if config.judge.queries % 2 == 0:
        return None
    return (
        f"judge.queries={config.judge.queries}: must be even, so that either response is shown "
        "first equally often; add one or take one away"
    )


def preference_file_is_there(config: RewardModelConfig) -> str | None:
    if not isinstance(config.data, PreferenceData):
        return None
    if Path(config.data.path).expanduser().is_file():
        return None
    return f"data.path={config.data.path}: no such file; name a .jsonl file"
