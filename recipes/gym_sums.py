"""Sums of the package reasoning-gym as data for a small language model: problems to solve, and a
cold start whose thinking is written by a rule. In half of its rows the sum is worked out step by
step, in the other half the result is there at once: which of the two pays is left to reinforcement
learning.

    .venv/bin/pip install reasoning-gym==0.1.25
    .venv/bin/python -m recipes.gym_sums FOLDER

FOLDER/problems.jsonl is for data=gsm8k, FOLDER/cold_start.jsonl for data=chat. No sum is in both.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.errors import UserError
from rewards.format import END_THINK, THINK

COLD_START_ROWS = 480
PROBLEMS = 2560
LIMITS: Mapping[str, int] = {"min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 2}
"""Of chain_sum. Without a minus, it is what a model of 135M parameters gets right now and then."""

AT_A_GLANCE = "I see the result at once."


def write_sums(folder: Path, seed: int = 0) -> list[Path]:
    """Both files. Raises UserError when reasoning-gym is not installed."""
    if importlib.util.find_spec("reasoning_gym") is None:
        raise UserError(
            "reasoning-gym is not installed; .venv/bin/pip install reasoning-gym==0.1.25"
        )
    import reasoning_gym  # pyright: ignore[reportMissingImports]: not among the dependencies

    # A third has no minus, and short sums come more than once.
    size = 5 * (COLD_START_ROWS + PROBLEMS)
    drawn = reasoning_gym.create_dataset("chain_sum", seed=seed, size=size, **LIMITS)
    sums = distinct([item for item in drawn if "-" not in item["metadata"]["expression"]])
    cold_start, problems = sums[:COLD_START_ROWS], sums[COLD_START_ROWS:][:PROBLEMS]
    assert len(problems) == PROBLEMS
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _write(
            folder / "cold_start.jsonl",
            [conversation(each, works=number % 2 == 0) for number, each in enumerate(cold_start)],
        ),
        _write(folder / "problems.jsonl", [problem(each) for each in problems]),
    ]


def distinct(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each question once, in order."""
    return list({item["question"]: item for item in items}.values())


def problem(item: Mapping[str, Any]) -> dict[str, str]:
    """A row in the form of GSM8K."""
    return {"question": item["question"], "answer": f"#### {item['answer']}"}


def conversation(item: Mapping[str, Any], *, works: bool) -> dict[str, Any]:
    """A row to imitate: question, thinking, and a summary with the answer in a box."""
    thinking, result = think(item["metadata"]["expression"])
    assert str(result) == item["answer"], item
    thinking = thinking if works else AT_A_GLANCE
    summary = f"\nThe answer is \\boxed{{{result}}}."
    return {
        "messages": [
            {"role": "user", "content": item["question"]},
            {"role": "assistant", "content": f"{THINK}\n{thinking}\n{END_THINK}{summary}"},
        ]
    }


def think(expression: str) -> tuple[str, int]:
    """How a person works it out, from left to right, and the result.

    think("5 + 7 - 2") == ("I work from left to right and keep the result of each step. "
                           "First, 5 + 7 = 12. Then, 12 - 2 = 10.", 10)
    """
    first, *rest = expression.split()
    result, steps = int(first), []
    for sign, number in zip(rest[::2], rest[1::2], strict=True):
        before = result
        result += int(number) if sign == "+" else -int(number)
        steps.append(f"{'Then' if steps else 'First'}, {before} {sign} {number} = {result}.")
    return f"I work from left to right and keep the result of each step. {' '.join(steps)}", result


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    aside = path.with_suffix(".aside")
    aside.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return aside.replace(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m recipes.gym_sums FOLDER")
    try:
        for path in write_sums(Path(sys.argv[1])):
            print(path)
    except UserError as error:
        sys.exit(f"error: {error}")
