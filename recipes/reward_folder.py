"""What a reward model's folder says about itself, beside the weights."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.errors import UserError

FACTS_FILE = "reward_model.json"


@dataclass(frozen=True, slots=True)
class RewardModelFacts:
    """RewardModelFacts("pairwise", center=0.31)"""

    objective: Literal["pairwise", "pointwise"]
    """pairwise: judges final summaries; pointwise: whole responses."""
    center: float
    """The score that counts as zero: the mean over responses of its data."""

    def reward(self, score: float) -> float:
        """From 0 to 1, as all parts of a reward: sigmoid(score - center), the chance that the
        response is preferred to an average one, or that it is safe. The paper names no scale."""
        return 0.5 * (1.0 + math.tanh(0.5 * (score - self.center)))


def read_facts(folder: Path, setting: str, objective: str) -> RewardModelFacts:
    """Raises UserError when the folder of this setting has no reward model of this kind."""
    path = folder / FACTS_FILE
    if not path.is_file():
        raise UserError(
            f"{setting}={folder}: no {FACTS_FILE} in it; name the final/ folder of a run of recipe "
            "r1/reward_helpful or r1/reward_safety"
        )
    facts = RewardModelFacts(**json.loads(path.read_text()))
    if facts.objective != objective:
        raise UserError(
            f"{setting}={folder}: a {facts.objective} model; it must be {objective} (helpfulness "
            "is pairwise, safety pointwise)"
        )
    return facts
