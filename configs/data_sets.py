"""What runs learn from: problems to be solved, conversations to imitate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.settings import NonNegative, Positive, Settings


class NanoData(Settings):
    """Problems of the nano world, generated from the seed."""

    kind: Literal["nano"] = "nano"
    """Problems made by this program."""
    seed: NonNegative = 0
    """Seed of the problems and of their split."""
    train_problems: Positive = 4096
    """Problems to train on; each is used once before any is used again."""
    heldout_problems: Positive = 256
    """Held-out problems never occur in any training split."""
    template: Literal["r1_zero", "chat"] = "r1_zero"
    """r1_zero: plain text as in the base model's corpus; chat: the tokenizer's chat template."""
    general: str = ""
    """General prompts, rated by reward models, beside the problems: "nano", or a .jsonl file with
    prompt, set (helpfulness or safety) and language. Empty: none."""


class Gsm8kData(Settings):
    """GSM8K-style JSON lines: question, and answer ending in '#### N'."""

    kind: Literal["gsm8k"] = "gsm8k"
    """Problems from a file."""
    path: str
    """A .jsonl file with the keys question and answer."""
    heldout_problems: Positive = 256
    """Rows set aside for evaluation, chosen by a hash of the question."""
    template: Literal["r1_zero", "chat"] = "r1_zero"
    """r1_zero: the paper's plain-text prompt (Table 1); chat: the tokenizer's chat template."""
    max_prompt_tokens: Positive = 512
    """Longer prompts are left out, counted and reported."""
    general: str = ""
    """General prompts, rated by reward models, beside the problems: a .jsonl file with prompt, set
    (helpfulness or safety) and language. Empty: none."""


class ProblemData(Settings):
    """Problems from a file or the hub, whatever its columns: mathematics with answers or solutions,
    programs with tests. recipes/problem_rows.py lists the forms. Bad rows are left out and listed.
    """

    kind: Literal["problems"] = "problems"
    """Problems from real data sets."""
    path: str
    """A .jsonl or .parquet file, or the name of a data set on the Hugging Face hub."""
    subset: str = ""
    """Of a data set on the hub: its configuration, where it has several."""
    split: str = "train"
    """Of a data set on the hub: the split to train on."""
    streaming: bool = False
    """Read a data set on the hub row by row instead of downloading it as a whole."""
    problems: NonNegative = 0
    """Only the first so many good rows; 0: all."""
    question: str = ""
    """The column with the question; empty: found by its name."""
    answer: str = ""
    """The column with the answer; empty: found by its name."""
    checker: Literal["auto", "math", "code", "judge"] = "auto"
    """auto: code where a row has tests, else math; judge: answers in words, for recipe.judge."""
    heldout_problems: Positive = 256
    """Rows set aside for evaluation, chosen by a hash of the question."""
    template: Literal["r1_zero", "chat"] = "r1_zero"
    """r1_zero: the paper's plain-text prompt (Table 1); chat: the tokenizer's chat template, and
    in which form the answer is wanted."""
    max_prompt_tokens: Positive = 512
    """Longer prompts are left out and listed."""
    general: str = ""
    """In reinforcement learning, general prompts beside the problems, rated by reward models: a
    .jsonl file with prompt, set (helpfulness or safety) and language. Empty: none."""


class ChatData(Settings):
    """Conversations, one per row: messages (a list of role and content; system, user, assistant),
    put into the chat template of the model; or prompt and completion, taken as plain text."""

    kind: Literal["chat"] = "chat"
    """Conversations to imitate."""
    path: str
    """A .jsonl or .parquet file, or the name of a data set on the Hugging Face hub."""
    subset: str = ""
    """Of a data set on the hub: its configuration, where it has several."""
    split: str = "train"
    """Of a data set on the hub: the split to train on."""
    heldout_rows: NonNegative = 128
    """Rows set aside for the held-out loss, chosen by a hash of the first question; rows with the
    same question stay together. 0: no held-out loss."""
    max_tokens: Positive = 32768
    """Longer conversations are left out, counted and listed; the paper's context length."""


class NanoSolutions(Settings):
    """Problems of the nano world, each with a worked, right and well-formed solution."""

    kind: Literal["nano_solutions"] = "nano_solutions"
    """Solutions made by this program."""
    seed: NonNegative = 0
    """Seed of the problems; the same split as that of data=nano."""
    train_problems: Positive = 4096
    """Problems to train on."""
    heldout_rows: Positive = 128
    """Problems for the held-out loss; they never occur in any training split."""
    max_tokens: Positive = 128
    """Above every solution of the nano world."""


Problems = Annotated[NanoData | Gsm8kData | ProblemData, Field(discriminator="kind")]
