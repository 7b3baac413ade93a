"""Rewards of general prompts, by the reward models that inference actors hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from configs.schema import RlConfig
from launch.cluster import wait_all
from recipes.nano_general import general_prompts, true_value
from rewards.preference import QUESTION, SET, Exchange, with_preferences
from rl.records import Group


class RayRater:
    """The HelpfulnessModel and SafetyModel protocols over one inference actor."""

    def __init__(self, actor: Any, name: str, timeout_s: float) -> None:
        self._actor = actor
        self._name = name
        self._timeout_s = timeout_s

    def rate_summaries(self, exchanges: Sequence[Exchange]) -> Sequence[float]:
        refs = [self._actor.rate.remote(exchanges)]
        return wait_all(
            refs, what="preference rewards", names=[self._name], timeout_s=self._timeout_s
        )[0]

    rate_responses = rate_summaries


class Preferences:
    """Adds the reward models' part to the scores of general prompts."""

    def __init__(self, raters: Mapping[str, Any], config: RlConfig) -> None:
        """raters: setting -> inference actor."""
        helpful, safety = (
            RayRater(raters[setting], setting, config.cluster.step_timeout_s)
            for setting in ("reward.helpful_model", "reward.safety_model")
        )
        self._models = helpful, safety
        self._weight = config.reward.preference
        nano = general_prompts("train") if config.data.general == "nano" else []
        self._nano = {prompt.text: prompt for prompt in nano}

    def __call__(self, groups: Sequence[Group]) -> list[Group]:
        rated = with_preferences(groups, *self._models, self._weight)
        return [self._with_true_value(group) for group in rated]

    def _with_true_value(self, group: Group) -> Group:
        """In the nano world what the reward models stand for is known. It is reported as a part and
        not rewarded: a preference that rises while it falls is being hacked."""
        if SET not in group.prompt.metadata or not self._nano:
            return group
        prompt = self._nano[group.prompt.metadata[QUESTION]]
        scores = tuple(
            replace(
                score, parts={**score.parts, "true_preference": true_value(prompt, completion.text)}
            )
            for completion, score in zip(group.completions, group.scores, strict=True)
        )
        return replace(group, scores=scores)
