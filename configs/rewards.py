"""How completions are rewarded: weights of the parts, and how each is found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.settings import NonNegative, Positive, Settings


class MathSettings(Settings):
    """How answers to mathematical problems are compared. What is off by default makes wrong
    answers right for some data sets."""

    timeout_s: Annotated[float, Field(gt=0.0, le=60.0)] = 3.0
    """Longest check of one answer; then the process that does it is killed."""
    memory_mb: Annotated[int, Field(ge=512)] = 1024
    """Address space of the process that runs Math-Verify."""
    cache_size: NonNegative = 4096
    """Verdicts remembered per checker; the answers of a group repeat. 0: none."""
    percent_leniency: bool = False
    """Take 50 % for 50 as well as for 0.5."""
    ignore_units: bool = False
    """Take 5 cm for 5 m: compare the numbers alone (percent signs still count)."""
    any_order: bool = False
    """Take (2, 1) for (1, 2)."""
    round_to_gold: bool = False
    """Take 3.14159 for 3.14: round to the decimals that the gold answer gives."""


class SandboxSettings(Settings):
    """Where programs written by the model run."""

    workers: Positive = 2
    """Programs that run at the same time; one core each."""
    tier: Literal["auto", "namespaces", "landlock", "none"] = "auto"
    """Kind of isolation. auto: the strongest that works here, and an error when none does. none:
    programs are NOT isolated; for machines where nothing can be lost."""


class CodeSettings(Settings):
    """How programs are judged by their tests."""

    backend: Literal["local", "remote"] = "local"
    """local: the sandbox of this machine; remote: a server with SandboxFusion's /run_code."""
    sandbox: SandboxSettings = SandboxSettings()
    """Of this machine."""
    url: str = ""
    """Of the remote server, such as http://10.0.0.5:8080; `launch sandbox serve` starts one."""
    token_file: str = ""
    """A file with the remote server's bearer token; empty: it asks for none."""
    connections: Positive = 16
    """Requests to the remote server at the same time; about as many as it has workers, since one
    that waits there for too long is sent again."""
    all_or_nothing: bool = True
    """1 for passing all tests and 0 otherwise, known at the first failure; false: the share of
    tests passed."""
    time_limit_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 10.0
    """Wall-clock seconds for each test of a task that sets no limit itself."""
    memory_limit_mib: Annotated[int, Field(ge=16, le=1 << 20)] = 1024
    """Memory of a program in a task that sets no limit itself."""
    output_limit_bytes: Positive = 1 << 20
    """A program that prints more is stopped."""
    problem_time_limit_s: Annotated[float, Field(gt=0.0)] = 120.0
    """Seconds that the runs of all tests of a task may take together."""


class RewardSettings(Settings):
    """Weights of the reward's parts, and how they are found. R1-Zero: accuracy + format with the
    same weight; the R1 stages add language."""

    accuracy: float = 1.0
    """Weight of the answer being right (0 or 1; for programs see code.all_or_nothing)."""
    format: float = 1.0
    """Weight of the tags being in place (0 or 1)."""
    format_form: Literal["answer_tags", "think_tags", "soft"] = "answer_tags"
    """answer_tags: <think>..</think><answer>..</answer>; think_tags: thinking, then an answer
    without tags; soft: a quarter for each of the four tags that is there once and in order."""
    language: float = 0.0
    """Weight of the share of the thinking that is in the prompt's language (0 to 1)."""
    min_language_words: Positive = 10
    """Thinking with fewer words, formulas and code aside, is no evidence of its language: it gets
    the mean language part of its group."""
    preference: float = 1.0
    """Weight of what a reward model says of a general prompt's response (0 to 1), in the place that
    accuracy has for problems."""
    helpful_model: str = ""
    """Reward model of the helpfulness prompts: the final/ folder of a run of r1/reward_helpful."""
    safety_model: str = ""
    """The same for the safety prompts: of r1/reward_safety."""
    max_stripped_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.8
    """Part of the thinking, by words, that may be formulas and code; beyond it the language part
    falls, to 0 where there is nothing else."""
    repetition: float = 0.0
    """Weight of the repetition penalty (-1 to 0)."""
    repetition_ngram: Positive = 20
    """Words, or Chinese characters, that have to come again together to count as repeated."""
    overlong: float = 0.0
    """Weight of DAPO's penalty in front of the length cap (-1 to 0)."""
    overlong_tokens: Positive = 4096
    """Length of its slope before the cap, in tokens; DAPO's value at a cap of 20480."""
    math: MathSettings = MathSettings()
    """Mathematical answers."""
    code: CodeSettings = CodeSettings()
    """Programs."""
    workers: Positive = 1
    """Reward actors, one CPU each."""
    shuffle: bool = False
    """Control experiment: give each completion the reward of another one of the same step, so
    that nothing can be learnt."""
