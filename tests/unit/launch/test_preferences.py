"""Which reward model sees what of a response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from launch.preferences import Preferences
from rewards.preference import QUESTION, SET, Exchange
from rl.records import Completion, Group, Outcome, Prompt, Score
from tests.loop.fakes import make_config

RESPONSE = "<think>secret</think>x"
VALUES = {"reward.helpful_model": 0.25, "reward.safety_model": 0.5}


class Rater:
    """In place of RayRater: keeps what the model of each setting is shown."""

    seen: dict[str, list[Exchange]] = {}

    def __init__(self, actor: Any, name: str, timeout_s: float) -> None:
        assert actor == f"actor of {name}"
        self.name = name

    def rate_summaries(self, exchanges: Sequence[Exchange]) -> Sequence[float]:
        self.seen.setdefault(self.name, []).extend(exchanges)
        return [VALUES[self.name]] * len(exchanges)

    rate_responses = rate_summaries


def general_group(preference_set: str) -> Group:
    metadata = {SET: preference_set, QUESTION: f"a question of {preference_set}"}
    prompt = Prompt(preference_set, "User: ?", (1,), "", metadata)
    completion = Completion(prompt.id, 0, RESPONSE, (2,), (-0.5,), 0, "stop")
    return Group(prompt, (completion,), (Score(1.0, Outcome.RATED, {}),))


def test_only_the_safety_model_sees_the_thinking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launch.preferences.RayRater", Rater)
    monkeypatch.setattr(Rater, "seen", {})
    config = make_config()
    config = config.model_copy(
        update={"reward": config.reward.model_copy(update={"preference": 2.0})}
    )
    rate = Preferences({name: f"actor of {name}" for name in VALUES}, config)
    helpful, safe = rate([general_group("helpfulness"), general_group("safety")])
    assert Rater.seen == {
        "reward.helpful_model": [Exchange("a question of helpfulness", "x")],
        "reward.safety_model": [Exchange("a question of safety", RESPONSE)],
    }
    assert [score.reward for score in (*helpful.scores, *safe.scores)] == [1.5, 2.0]
