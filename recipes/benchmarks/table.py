"""Every benchmark by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from recipes.benchmarks import programs, rows
from recipes.benchmarks.items import Item, Row
from recipes.datasets import R1_ZERO_TEMPLATE
from rewards.language import MIN_WORDS

Kind = Literal["math", "choice", "program", "instructions", "open"]
"""How answers are scored; see scoring.py."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A data set on the Hugging Face hub."""

    name: str
    config: str = ""
    """"" : the only one; "*": all of them, with the config's name as the column subject."""
    split: str = "test"
    files: tuple[str, ...] = ()
    """JSON-lines files to read in place of a split, for a data set that is a script."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A line of the table."""

    title: str
    kind: Kind
    read: Callable[[Row], Item | None]
    """From a row to a problem; its docstring names the columns. None: not part of the benchmark."""
    samples: int
    """Per problem, by default: the paper's number where it gives one (section D.1)."""
    hub: Hub | None = None
    language: Literal["en", "zh"] = "en"
    """Of the problems, and so the language to think in."""
    min_language_words: int = MIN_WORDS
    """Thinking with fewer words is no evidence of its language."""
    r1_zero_template: str = R1_ZERO_TEMPLATE
    how_to_get: str = ""
    """When there is more to getting the data than a name on the hub."""


GPQA_NOTE = (
    "its authors ask that no plain-text copy be made, so accept its terms on the hub, log in "
    "(hf auth login) and let it be read from there"
)
CODEFORCES_NOTE = (
    "no public set has the paper's tests, so write a file with the columns question and tests, a "
    'list of {"input": ..., "output": ...}'
)

NANO_TEMPLATE = "User:{question} Assistant:"

BENCHMARKS: dict[str, Benchmark] = {
    "aime_2024": Benchmark(
        "AIME 2024", "math", rows.read_math, 64, Hub("HuggingFaceH4/aime_2024", split="train")
    ),
    "aime_2025": Benchmark("AIME 2025", "math", rows.read_math, 64, Hub("math-ai/aime25")),
    "math_500": Benchmark("MATH-500", "math", rows.read_math, 16, Hub("HuggingFaceH4/MATH-500")),
    "gsm8k": Benchmark("GSM8K", "math", rows.read_gsm8k, 4, Hub("openai/gsm8k", "main")),
    "gpqa_diamond": Benchmark(
        "GPQA-Diamond",
        "choice",
        rows.read_gpqa,
        64,
        Hub("Idavidrein/gpqa", "gpqa_diamond", "train"),
        how_to_get=GPQA_NOTE,
    ),
    "mmlu": Benchmark("MMLU", "choice", rows.read_mmlu, 1, Hub("cais/mmlu", "all")),
    "mmlu_redux": Benchmark(
        "MMLU-Redux", "choice", rows.read_mmlu_redux, 1, Hub("edinburgh-dawg/mmlu-redux-2.0", "*")
    ),
    "mmlu_pro": Benchmark("MMLU-Pro", "choice", rows.read_mmlu_pro, 1, Hub("TIGER-Lab/MMLU-Pro")),
    "c_eval": Benchmark(
        # The answers of the test split are not public.
        "C-Eval",
        "choice",
        rows.read_c_eval,
        1,
        Hub("ceval/ceval-exam", "*", "val"),
        language="zh",
    ),
    "cluewsc": Benchmark(
        "CLUEWSC",
        "choice",
        rows.read_cluewsc,
        4,
        Hub("clue/clue", "cluewsc2020", "validation"),
        language="zh",
    ),
    "livecodebench": Benchmark(
        "LiveCodeBench",
        "program",
        programs.read_livecodebench,
        8,
        Hub("livecodebench/code_generation_lite", files=("test4.jsonl", "test5.jsonl")),
    ),
    "humaneval": Benchmark(
        "HumanEval", "program", programs.read_humaneval, 8, Hub("openai/openai_humaneval")
    ),
    "mbpp": Benchmark(
        "MBPP", "program", programs.read_mbpp, 8, Hub("google-research-datasets/mbpp", "sanitized")
    ),
    "codeforces": Benchmark(
        "Codeforces", "program", programs.read_codeforces, 16, how_to_get=CODEFORCES_NOTE
    ),
    "ifeval": Benchmark(
        "IFEval", "instructions", rows.read_ifeval, 4, Hub("google/IFEval", split="train")
    ),
    "nano": Benchmark(
        # Its problems are made by recipes/nano_world.py, all of them held out.
        "nano world",
        "math",
        rows.read_math,
        16,
        min_language_words=1,
        r1_zero_template=NANO_TEMPLATE,
    ),
    # Open requests, rated by the rule behind the preferences of recipes/nano_general.py.
    "nano_helpful": Benchmark(
        "nano helpfulness",
        "open",
        rows.read_math,
        1,
        min_language_words=1,
        r1_zero_template=NANO_TEMPLATE,
    ),
    "nano_safety": Benchmark(
        "nano safety",
        "open",
        rows.read_math,
        1,
        min_language_words=1,
        r1_zero_template=NANO_TEMPLATE,
    ),
}
