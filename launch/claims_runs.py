"""The runs behind `make claims`: the pipeline of a seed, its stages with something changed, and
what was measured of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from launch.child import run_child
from launch.stages import quoted
from recipes.evaluation import Evaluation, from_json

Measures = Mapping[str, Mapping[str, Any]]
"""Model -> benchmark -> its measures."""
CAP = 19
"""Tokens: enough for most worked solutions of the nano world, two short of the longest."""
RAISED_AT = 10
"""Steps, of four updates each."""
CAPPED = (f"rollout.max_tokens={CAP}", f"recipe.eval_every={RAISED_AT}")


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
    def capped(self) -> Path:
        """Folder of a run of R1-Zero whose cap on the length is too low for some problems."""
        return self.changed("capped", "zero", *CAPPED)

    @cached_property
    def raised(self) -> Path:
        """The same, with the cap raised early, while answers that need more are still tried."""
        schedule = f"rollout.max_tokens_schedule={{{4 * RAISED_AT}: 48}}"
        return self.changed("raised", "zero", *CAPPED, schedule)

    def measures(self) -> Measures:
        """Of the pipeline's own evaluation."""
        return json.loads((self.stage("evaluation") / "measures.json").read_text())

    def evaluated(self, name: str, models: Mapping[str, Path], *words: str) -> Measures:
        """Of models that are not the pipeline's, measured as those. name: of the folder."""
        paths = [f"models.{model}.path={quoted(path)}" for model, path in models.items()]
        folder = self.changed(name, "evaluation", *paths, *words)
        return json.loads((folder / "measures.json").read_text())

    def _run(self, *words: str) -> None:
        code = run_child("launch.cli", "run", *words)
        if code != 0:
            sys.exit(code if code > 0 else 1)


def evaluations(run: Path) -> list[Evaluation]:
    """Of a run of reinforcement learning, at temperature 1, in order."""
    paths = sorted((run / "eval").glob("step-*.json"))
    return [from_json(path.read_text())[0] for path in paths]


def pass_at_1(measures: Mapping[str, Any]) -> float:
    return measures["nano"]["pass_at"]["1"]["value"]


def votes(measures: Mapping[str, Any]) -> float:
    """cons@16."""
    return measures["nano"]["cons"]["value"]


def language(measures: Mapping[str, Any]) -> float:
    """Share of the problem's language in the thinking."""
    return measures["nano"]["language_consistency"]


def worth(measures: Mapping[str, Any]) -> float:
    """Of answers to open requests, both sets alike; no reward model sees it."""
    return (measures["nano_helpful"]["worth"] + measures["nano_safety"]["worth"]) / 2
