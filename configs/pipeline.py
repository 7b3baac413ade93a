"""Settings of the whole pipeline: a graph of stages, each of which is a run of its own.

    launch run r1 seed=1 cluster.threads=2 stages.rl_reasoning.recipe.steps=10

What is said of cluster and tracking goes to every stage, what is said below stages.NAME to that
one, word for word as on its own command line.
"""

from __future__ import annotations

from typing import Literal

from configs.schema import Model, RunSettings, Settings

EVERY_STAGE = "all"
"""stages.all.KEY=VALUE goes to every stage."""


class PipelineRecipe(Settings):
    """From a base model to R1 and its students."""

    kind: Literal["pipeline"] = "pipeline"
    """Run the stages of recipes/r1.py."""
    scale: str = ""
    """Which files shrink the stages: scale/r1/<stage>_<this>.yaml; empty: the paper's values."""
    until: str = ""
    """The last stage to run, in the order of the graph; empty: all."""
    student: str = ""
    """Folder of the dense model that is distilled into; empty: that of the nano world for the nano
    model, and no distillation for others."""


class PipelineConfig(RunSettings):
    """The whole pipeline. Its seed, deterministic and model are those of every stage."""

    recipe: PipelineRecipe
    model: Model
    """The base model, which both rounds of fine-tuning start from."""
    stages: dict[str, list[str]] = {}
    """Stage -> settings of its own, ["recipe.steps=10"]; all: of every stage."""
