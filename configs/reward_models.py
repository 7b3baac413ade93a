"""Settings of the runs that train reward models, and of the data they learn from.

The paper's values (arXiv 2501.12948v2, 3.1): batches of 256, learning rate 6e-6, one epoch, 8,192
tokens. Helpfulness is learnt from pairs, of which a judge says which is better; safety from single
responses that are labelled.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.data_making import TextModelSettings
from configs.settings import NonNegative, Positive, Settings


class RewardModelRecipe(Settings):
    """What the model learns and for how long; a step is one update."""

    kind: Literal["reward_model"] = "reward_model"
    """Train a model that gives rewards."""
    objective: Literal["pairwise", "pointwise"] = "pairwise"
    """pairwise: -log sigmoid(chosen - rejected), of final summaries, for helpfulness; pointwise:
    binary cross-entropy of safe or unsafe, of whole responses. The paper names no form of the
    latter."""
    epochs: Positive = 1
    """Passes over the data."""
    batch_size: Positive = 256
    """Pairs, or labelled responses, per update. What does not fill a batch is left out of the
    epoch."""
    checkpoint_every: Positive = 50
    """Updates between checkpoints; the last update is always saved."""
    keep_checkpoints: Annotated[int, Field(ge=2)] = 2
    """Newest complete checkpoints to keep. Two, so that a torn one has a predecessor."""
    eval_every: NonNegative = 0
    """Updates between held-out accuracies; 0: only before and after training."""


class PairJudgeSettings(TextModelSettings):
    """Who compares two responses, and which verdicts become a pair."""

    by: Literal["none", "endpoint"] = "none"
    """Of rows with two responses that nobody has compared. none: they are left out; endpoint: a
    server. The nano world has a judge of its own."""
    queries: Positive = 4
    """Verdicts per pair, averaged; the two responses change places from one to the next, so the
    number is even."""
    margin: Annotated[float, Field(ge=0.0)] = 1.0
    """A pair is kept when the averaged verdict is further from a tie than this. [[A>>B]] counts 2,
    [[A>B]] 1, [[A=B]] 0; the paper keeps differences above 1 and names no numbers."""
    balance_lengths: bool = True
    """Leave pairs out until chosen and rejected summaries are about equally long over all data."""


class NanoPreferences(Settings):
    """Responses to the nano world's general prompts, judged by a noisy look at their true worth."""

    kind: Literal["nano_preferences"] = "nano_preferences"
    """Preferences made by this program."""
    seed: NonNegative = 0
    """Seed of the responses and of the judge's noise."""
    train_pairs: Positive = 4096
    """Pairs, or labelled responses, drawn for training; of the pairs a judge keeps some."""
    heldout_pairs: Positive = 512
    """The same for the held-out accuracy, on held-out prompts."""
    judge_noise: Annotated[float, Field(ge=0.0)] = 0.5
    """Standard deviation of one verdict on a pair, where 1 means slightly better."""
    max_tokens: Positive = 128
    """Above every prompt with its response."""


class PreferenceData(Settings):
    """Rows of a file: prompt, chosen and rejected, or prompt and responses (a list of two) for the
    judge to compare; for the pointwise objective prompt, response and safe (true or false)."""

    kind: Literal["preferences"] = "preferences"
    """Preferences to learn."""
    path: str
    """A .jsonl file."""
    heldout_rows: NonNegative = 512
    """Rows set aside for the held-out accuracy, chosen by a hash of the prompt; rows with the same
    prompt stay together."""
    max_tokens: Positive = 8192
    """Longer prompts with their response are left out, counted and listed."""
