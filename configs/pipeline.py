"""Settings of the whole pipeline: a graph of stages, each of which is a run of its own.

    launch run r1 seed=1 cluster.threads=2 stages.rl_reasoning.recipe.steps=10

What is said of cluster and tracking goes to every stage, what is said below stages.NAME to that
one, word for word as on its own command line. On a cluster the whole pipeline is one job.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.evaluation import EngineSettings
from configs.rewards import CodeSettings
from configs.schema import AnyRunConfig, Cluster, Model, RunSettings
from configs.settings import NonNegative, Positive, Settings

EVERY_STAGE = "all"
"""stages.all.KEY=VALUE goes to every stage that has such a setting."""


class PipelineRecipe(Settings):
    """From a base model to R1 and its students."""

    kind: Literal["pipeline"] = "pipeline"
    """Run the stages of recipes/r1.py."""
    scale: str = ""
    """Which files shrink the stages: scale/r1/<stage>_<this>.yaml; empty: the paper's values."""
    until: str = ""
    """The last stage to run, in the order of the graph; empty: all."""
    without: list[str] = []
    """Stages to leave out, with all that need what they make: [reward_helpful] leaves out the RL
    for all scenarios too."""
    student: str = ""
    """Folder of the dense model that is distilled into; empty: that of the nano world for the nano
    model, and no distillation for others."""


class PipelineConfig(RunSettings):
    """The whole pipeline. Its seed, deterministic and model are those of every stage."""

    recipe: PipelineRecipe
    model: Model
    """The base model, which both rounds of fine-tuning start from."""
    stages: dict[str, list[str]] = {}
    """Stage -> settings of its own, ["recipe.steps=10"]; all: of every stage that has them."""
    cluster: Cluster


class EvaluationRecipe(Settings):
    """Every stage on the same benchmarks, as in the paper's Table 3 (arXiv 2501.12948v2). Defaults
    are those of `launch eval` (configs/evaluation.py)."""

    kind: Literal["evaluation"] = "evaluation"
    """Score the models of all stages."""
    benchmark: str = "aime_2024,math_500,gpqa_diamond,livecodebench,mmlu_pro,ifeval"
    """Names of benchmarks, separated by commas."""
    folder: str = "benchmarks"
    """Holds NAME.jsonl or NAME.parquet for benchmarks that are not read from the hub."""
    samples: NonNegative = 0
    """Samples per problem; 0: the paper's number for each benchmark."""
    problems: NonNegative = 0
    """Only the first so many problems of each benchmark; 0: all."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.6
    """Of sampling."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """Nucleus sampling; 1: off."""
    max_tokens: Positive = 32768
    """Length cap of a completion."""


class StageModel(Settings):
    """A model to be scored."""

    path: str
    """Its folder."""
    template: Literal["chat", "r1_zero"] = "chat"
    """How it is asked; r1_zero for models that were never fine-tuned."""


class EvaluationConfig(RunSettings):
    """One evaluation of several models, whole."""

    recipe: EvaluationRecipe
    models: dict[str, StageModel]
    """Stage -> its model, in the order of the table."""
    engine: EngineSettings = EngineSettings()
    code: CodeSettings = CodeSettings()
    cluster: Cluster


StageConfig = AnyRunConfig | EvaluationConfig
"""What a stage may be: a run in one folder, whatever its kind."""
AnyConfig = StageConfig | PipelineConfig
"""All that `launch run` takes."""
