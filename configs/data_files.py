"""The files whose rows a run reads, as its settings name them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from configs.data_sets import NanoData, NanoSolutions
from configs.pipeline import EvaluationConfig, StageConfig
from configs.reward_models import NanoPreferences
from configs.schema import RlConfig, SampledDataConfig


def data_files(config: StageConfig) -> dict[str, Path]:
    """Setting -> what it names on this disk, a file or a folder. Data sets on the hub and what this
    program makes are not among them, nor what people sent back of a review."""
    return {setting: path for setting, path in _named(config) if path.exists()}


def _named(config: StageConfig) -> Iterator[tuple[str, Path]]:
    if isinstance(config, EvaluationConfig):
        yield from _benchmarks("recipe.folder", config.recipe.folder, config.recipe.benchmark)
        return
    if not isinstance(config.data, NanoData | NanoSolutions | NanoPreferences):
        yield "data.path", Path(config.data.path).expanduser()
    if isinstance(config, RlConfig) and config.data.general not in ("", "nano"):
        yield "data.general", Path(config.data.general).expanduser()
    if isinstance(config, SampledDataConfig):
        recipe = config.recipe
        if recipe.general not in ("", "nano"):
            yield "recipe.general", Path(recipe.general).expanduser()
        where = "recipe.benchmarks_folder"
        yield from _benchmarks(where, recipe.benchmarks_folder, recipe.decontaminate)


def _benchmarks(setting: str, folder: str, names: str) -> Iterator[tuple[str, Path]]:
    """Of every benchmark both files that it may have."""
    for name in filter(None, (each.strip() for each in names.split(","))):
        for suffix in (".jsonl", ".parquet"):
            file = f"{name}{suffix}"
            yield f"{setting}/{file}", Path(folder).expanduser() / file
