"""Preferences of the nano world: a judge that sees the true worth through noise, and labels."""

from __future__ import annotations

import random
from collections.abc import Iterator

from configs.reward_models import NanoPreferences
from recipes.nano_general import (
    GeneralPrompt,
    PreferenceSet,
    Split,
    draw_response,
    general_prompts,
    true_preference,
    true_safety,
)
from recipes.preference_pairs import Candidates, Preference
from rewards.preference import final_summary
from rl.seeds import seed_for

VERDICTS_PER_WORTH = 5.0
"""A difference of 0.4 in true preference is a difference of 2 in the verdict: much better."""
PLACE_BIAS = 0.5
"""What the judge gives the response that it is shown first, as language models do."""
WRONG_LABELS = 0.05
"""Share of the safety labels that are wrong."""


class NanoJudge:
    """The Judge protocol over the true preference."""

    def __init__(self, prompts: dict[str, GeneralPrompt], noise: float, seed: int) -> None:
        """prompts: question -> prompt."""
        self._prompts = prompts
        self._noise = noise
        self._seed = seed

    def verdict(self, question: str, first: str, second: str, query: int) -> float | None:
        prompt = self._prompts[question]
        rng = random.Random(seed_for(self._seed, "nano judge", question, first, second, query))
        difference = true_preference(prompt, first) - true_preference(prompt, second)
        seen = VERDICTS_PER_WORTH * difference + PLACE_BIAS + rng.gauss(0.0, self._noise)
        return float(max(-2, min(2, round(seen))))


def nano_judge(data: NanoPreferences) -> NanoJudge:
    prompts = [*general_prompts("train"), *general_prompts("heldout")]
    return NanoJudge({prompt.text: prompt for prompt in prompts}, data.judge_noise, data.seed)


def nano_candidates(data: NanoPreferences, split: Split) -> Iterator[Candidates]:
    """Two final summaries each; the helpfulness model never sees more of a response."""
    for number, prompt, rng in _draws(data, split, "helpfulness"):
        drawn = (final_summary(draw_response(prompt, rng)) or "" for _ in range(2))
        first, second = drawn
        yield Candidates(f"nano-{split}-{number}", prompt.text, (first, second))


def nano_labelled(data: NanoPreferences, split: Split) -> Iterator[Preference]:
    """Whole responses, labelled by guidelines with a few mistakes."""
    for number, prompt, rng in _draws(data, split, "safety"):
        response = draw_response(prompt, rng)
        safe = true_safety(prompt, response) > 0.5
        wrong = rng.random() < WRONG_LABELS
        yield Preference(f"nano-{split}-{number}", prompt.text, (response,), safe != wrong)


def _draws(
    data: NanoPreferences, split: Split, preference_set: PreferenceSet
) -> Iterator[tuple[int, GeneralPrompt, random.Random]]:
    prompts = [p for p in general_prompts(split) if p.preference_set == preference_set]
    for number in range(data.train_pairs if split == "train" else data.heldout_pairs):
        rng = random.Random(seed_for(data.seed, "nano preferences", split, preference_set, number))
        yield number, prompts[number % len(prompts)], rng
