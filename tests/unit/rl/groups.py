"""Groups made by hand."""

from __future__ import annotations

from collections.abc import Sequence

from rl.records import Completion, FinishReason, Group, Outcome, Prompt, Score


def group_of(
    rewards: Sequence[float | None],
    *,
    name: str = "p",
    lengths: Sequence[int] | None = None,
    finish_reasons: Sequence[FinishReason] | None = None,
    texts: Sequence[str] | None = None,
) -> Group:
    """A reward of 1 or more is a correct answer, None is an error of the checker."""
    size = len(rewards)
    prompt = Prompt(id=name, text="User: 3+4=?", token_ids=(5, 6, 7), answer="7")
    lengths = lengths or [2] * size
    completions = tuple(
        Completion(
            prompt_id=name,
            sample_index=index,
            text=(texts or [""] * size)[index],
            token_ids=tuple(range(10, 10 + lengths[index])),
            log_probs=tuple(-0.5 * (t + 1) for t in range(lengths[index])),
            policy_version=3,
            finish_reason=(finish_reasons or ["stop"] * size)[index],
        )
        for index in range(size)
    )
    return Group(prompt, completions, tuple(score_of(reward) for reward in rewards))


def score_of(reward: float | None) -> Score:
    if reward is None:
        return Score(None, Outcome.CHECKER_ERROR, {})
    accuracy = 1.0 if reward >= 1.0 else 0.0
    outcome = Outcome.CORRECT if accuracy else Outcome.WRONG
    return Score(reward, outcome, {"accuracy": accuracy, "format": reward - accuracy})
