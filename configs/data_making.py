"""Settings of the runs that make training data by sampling: cold start and rejection sampling.

The paper (arXiv 2501.12948v2, B.3.2 and B.3.3) says what is filtered and not from where on; where
it names no number, the value here is this program's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.settings import Fraction, NonNegative, Positive, Settings


class FilterSettings(Settings):
    """What a sampled trajectory has to be, beside whole, well formed and right."""

    min_language_share: Fraction = 0.9
    """Of the words of the thinking, and of those of the summary, this share must be in the
    language of the question. 0: not looked at."""
    max_repetition: Fraction = 0.2
    """Most of the thinking's n-grams that it has said before. 1: not looked at."""
    repetition_ngram: Positive = 20
    """Words, or Chinese characters, that have to come again together to count as repeated."""
    max_paragraph_words: NonNegative = 300
    """Most words, or Chinese characters, of the thinking without an empty line. 0: any number."""
    code_blocks: bool = True
    """Whether the thinking may hold fenced code; a summary always may."""


class TextModelSettings(Settings):
    """A language model that is asked in plain words."""

    url: str = ""
    """Of an OpenAI-compatible server, such as http://10.0.0.5:8000/v1."""
    model: str = ""
    """by=endpoint: the model's name there; by=model: its folder."""
    token_file: str = ""
    """A file with the server's bearer token; empty: it asks for none."""
    timeout_s: Annotated[float, Field(gt=0.0)] = 600.0
    """Longest wait for one answer of a server."""
    connections: Positive = 16
    """Requests to a server at the same time."""
    max_tokens: Positive = 32768
    """Length cap of an answer."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.6
    """Of its answers."""


class RewriterSettings(TextModelSettings):
    """Who brings trajectories into the first person and writes the summaries."""

    by: Literal["none", "rule", "endpoint", "model"] = "none"
    """none: they stay as they are; rule: the nano world's rule; endpoint: a server; model: a model
    folder, sampled here once the policy has been."""


class JudgeSettings(TextModelSettings):
    """Who compares with the reference what rules cannot compare."""

    by: Literal["none", "endpoint", "model"] = "none"
    """none: such trajectories are dropped; endpoint: a server; model: a model folder."""


class SampledDataRecipe(Settings):
    """Data from the samples of a model: correct, readable, in one language."""

    kind: Literal["sampled_data"] = "sampled_data"
    """Sample, check, filter, rewrite."""
    keep_per_prompt: NonNegative = 0
    """Most trajectories kept of a prompt, the first ones sampled. 0: all."""
    filters: FilterSettings = FilterSettings()
    """What is dropped."""
    rewriter: RewriterSettings = RewriterSettings()
    """What is rewritten, and by whom. A rewritten answer is checked again."""
    judge: JudgeSettings = JudgeSettings()
    """A generative judge, for answers that rules cannot compare."""
    general: str = ""
    """Conversations to add: a .jsonl or .parquet file with messages, the name of a data set on the
    Hugging Face hub, or nano for answers to the nano world's general prompts. Empty: none."""
    general_rows: NonNegative = 0
    """Only its first so many good rows; 0: all, and of the nano world one for each prompt."""
    decontaminate: str = ""
    """Benchmarks, separated by commas, of whose problems no 10-gram may occur in a row."""
    benchmarks_folder: str = "benchmarks"
    """Holds NAME.jsonl or NAME.parquet for them; one without a file is read from the hub."""
    review: bool = False
    """Stop for people to look: the rows go into review.jsonl, and nothing is finished before
    recipe.reviewed is given."""
    reviewed: str = ""
    """review.jsonl as people left it: edited rows, and without those that they took out."""
