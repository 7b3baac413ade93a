"""What a run asks of its processes, whatever its kind: the common ground of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from configs.clusters import ClusterSettings
from configs.data_sets import NanoSolutions
from configs.facts import max_prompt_tokens
from configs.reward_models import NanoPreferences, RewardModelRecipe
from configs.schema import (
    LearnerSettings,
    RewardModelConfig,
    RlConfig,
    RolloutSettings,
    RunConfig,
    SftConfig,
)

MEAN_COMPLETION_SHARE = 0.25
"""Mean length of a completion over the whole run as a share of its cap; assumption. R1-Zero's grew
from hundreds of tokens to a third of 32,768 (arXiv 2501.12948, figure 3)."""
MEAN_PROMPT_SHARE = 0.4
"""The same for prompts."""


@dataclass(frozen=True, slots=True)
class Work:
    """The settings that memory and time depend on."""

    learner: LearnerSettings
    cluster: ClusterSettings
    rollout: RolloutSettings | None
    """None when nothing is sampled."""
    model_kind: Literal["nano", "folder"]
    reward_workers: int
    reward_models: tuple[str, ...]
    """Folders of those that rate the responses to general prompts, a process each."""
    steps: int
    updates_per_step: int
    sequences_per_step: int
    longest_prompt: int
    longest_completion: int
    reference: bool
    offload: bool
    evaluations: int
    """Times the held-out problems are sampled."""
    evaluation_sequences: int
    forward_passes: int
    """Over all sequences of a step, before the updates: reference, old log-probs."""

    @property
    def gpu(self) -> bool:
        return self.cluster.device == "cuda"

    @property
    def device_kind(self) -> str:
        return self.cluster.device_kind if self.gpu else "cpu"

    @property
    def devices(self) -> int:
        """GPUs of all nodes; 0 on the CPU."""
        return self.cluster.nodes * self.cluster.devices_per_node if self.gpu else 0

    @property
    def longest_tokens(self) -> int:
        return self.longest_prompt + self.longest_completion

    @property
    def mean_completion(self) -> float:
        return MEAN_COMPLETION_SHARE * self.longest_completion

    @property
    def mean_tokens(self) -> float:
        """Of a prompt and its completion."""
        return MEAN_PROMPT_SHARE * self.longest_prompt + self.mean_completion


def work_of(config: RunConfig) -> Work:
    """The work of a run of any kind."""
    return _rl_work(config) if isinstance(config, RlConfig) else _supervised_work(config)


def _supervised_work(config: SftConfig | RewardModelConfig) -> Work:
    """A step is one update. How many there are is known when this program makes the data; else
    the hours are those of one step."""
    recipe, data = config.recipe, config.data
    steps = 1
    if isinstance(data, NanoSolutions):
        steps = recipe.epochs * (data.train_problems // recipe.batch_size)
    elif isinstance(data, NanoPreferences):
        steps = max(1, recipe.epochs * data.train_pairs // recipe.batch_size)
    pairs = isinstance(recipe, RewardModelRecipe) and recipe.objective == "pairwise"
    return Work(
        learner=config.learner,
        cluster=config.cluster,
        rollout=None,
        model_kind=config.model.kind,
        reward_workers=0,
        reward_models=(),
        steps=steps,
        updates_per_step=1,
        sequences_per_step=recipe.batch_size * (2 if pairs else 1),
        longest_prompt=0,
        longest_completion=data.max_tokens,
        reference=False,
        offload=False,
        evaluations=0,
        evaluation_sequences=0,
        forward_passes=0,
    )


def _rl_work(config: RlConfig) -> Work:
    recipe, rollout, learner = config.recipe, config.rollout, config.learner
    reference = config.algorithm.kl_coef > 0.0
    raters = (config.reward.helpful_model, config.reward.safety_model)
    between = (recipe.steps - 1) // recipe.eval_every if recipe.eval_every else 0
    return Work(
        learner=learner,
        cluster=config.cluster,
        rollout=rollout,
        model_kind=config.model.kind,
        reward_workers=config.reward.workers,
        reward_models=raters if config.data.general else (),
        steps=recipe.steps,
        updates_per_step=learner.mini_batches,
        sequences_per_step=rollout.prompts_per_step * rollout.samples_per_prompt,
        longest_prompt=max_prompt_tokens(config),
        longest_completion=config.longest_completion,
        reference=reference,
        offload=learner.offload,
        evaluations=2 + between,
        evaluation_sequences=recipe.eval_problems * recipe.eval_samples,
        forward_passes=reference + (config.algorithm.old_log_probs == "learner"),
    )


def counted(number: float) -> str:
    """7615616512 -> 7.62B."""
    units: Mapping[str, float] = {"T": 1e12, "B": 1e9, "M": 1e6, "K": 1e3}
    for unit, factor in units.items():
        if number >= factor:
            return f"{number / factor:.3g}{unit}"
    return f"{number:.3g}"
