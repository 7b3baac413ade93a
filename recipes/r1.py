"""DeepSeek-R1 as a graph of stages (arXiv 2501.12948v2, Fig. 2). Read the table like that figure:

    base ──RL──> R1-Zero ──samples, filtered, rewritten──> cold-start data
    base ──SFT on it──> Dev1 ──RL, reasoning──> Dev2 ──rejection sampling──> 800k samples
    base ──SFT on them──> Dev3 ──preferences──> reward models
                          Dev3 ──RL, all scenarios, with reward models──> R1
    student ──SFT on the 800k samples──> distilled student

Each stage is a run of its own, with the recipe r1/<name>, in RUN/stages/<name>. What it reads is
what other stages made; launch/pipeline.py runs them in this order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

BASE, STUDENT = "base", "student"
"""What the pipeline is given: the base model, and the dense model that is distilled into."""

Product = Literal["model", "reward model", "data", "measures"]
PRODUCT_PATHS: Mapping[Product, str] = {
    "model": "final",
    "reward model": "final",
    "data": "data.jsonl",
    "measures": "measures.json",
}
"""Where a stage leaves what it makes, inside its folder."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One box of the figure.

    Stage("rl_reasoning", "Dev2", "model", {"model": "sft_cold_start"})
    """

    name: str
    """Of its recipe, r1/<name>, and of its folder."""
    title: str
    """What the paper calls what it makes."""
    makes: Product
    inputs: Mapping[str, str]
    """Setting -> the stage whose product it is given, or BASE or STUDENT. "model" stands for the
    group, "model.path" when it is a stage's."""
    template: Literal["chat", "r1_zero"] = "chat"
    """How the model that it makes is asked."""


TRAINING = (
    Stage("zero", "R1-Zero", "model", {"model": BASE}, template="r1_zero"),
    Stage("cold_start_data", "cold-start data", "data", {"model": "zero"}),
    Stage("sft_cold_start", "Dev1", "model", {"model": BASE, "data.path": "cold_start_data"}),
    Stage("rl_reasoning", "Dev2", "model", {"model": "sft_cold_start"}),
    Stage("rejection_sampling", "800k samples", "data", {"model": "rl_reasoning"}),
    Stage("sft_800k", "Dev3", "model", {"model": BASE, "data.path": "rejection_sampling"}),
    Stage("reward_helpful", "reward model, helpfulness", "reward model", {"model": "sft_800k"}),
    Stage("reward_safety", "reward model, safety", "reward model", {"model": "sft_800k"}),
    Stage(
        "rl_all",
        "R1",
        "model",
        {
            "model": "sft_800k",
            "reward.helpful_model": "reward_helpful",
            "reward.safety_model": "reward_safety",
        },
    ),
    Stage(
        "distill",
        "distilled student",
        "model",
        {"model": STUDENT, "data.path": "rejection_sampling"},
    ),
    Stage("student_rl", "student, RL alone", "model", {"model": STUDENT}, template="r1_zero"),
)
MODELS = tuple(stage for stage in TRAINING if stage.makes == "model")
STAGES = (
    *TRAINING,
    Stage("evaluation", "Table 3", "measures", {f"models.{s.name}": s.name for s in MODELS}),
)
"""In the order in which they run: every stage stands after those it reads from."""


def stages_until(last: str, without: Collection[str] = ()) -> tuple[Stage, ...]:
    """The stages of a run. last: name of the last one; empty: all. without: stages, or STUDENT, to
    be left out with all that need them; the measures are of those that remain."""
    names = [stage.name for stage in STAGES]
    chosen = STAGES[: names.index(last) + 1] if last else STAGES
    missing, kept = set(without), []
    for stage in chosen:
        if stage.name not in missing and stage.makes == "measures":
            inputs = {key: source for key, source in stage.inputs.items() if source not in missing}
            kept.append(replace(stage, inputs=inputs))
        elif missing.isdisjoint((stage.name, *stage.inputs.values())):
            kept.append(stage)
        else:
            missing.add(stage.name)
    return tuple(kept)
