"""`launch score` with the kinds that run other processes: Math-Verify's worker and the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from launch.cli import main


def score(folder: Path, kind: str, rows: list[dict[str, Any]], *options: str) -> list[Any]:
    """The scored rows; the exit code has to be 0."""
    source, out = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["score", kind, str(source), "--out", str(out), *options]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize(
    ("row", "outcome", "reward", "extracted"),
    [
        ({"prediction": "0.5", "gold": "1/2", "is_answer": True}, "correct", 1.0, "0.5"),
        ({"prediction": "0.5", "gold": "1/3", "is_answer": True}, "wrong", 0.0, "0.5"),
        (
            {"prediction": "<think>a</think>\\boxed{7}", "gold": "7", "is_answer": False},
            "correct",
            1.0,
            "7",
        ),
        (
            {"prediction": "<think>\\boxed{7}", "gold": "7", "is_answer": False},
            "no_answer",
            0.0,
            None,
        ),
        ({"prediction": "7", "gold": "", "is_answer": True}, "unparseable_gold", None, None),
    ],
)
def test_math(
    tmp_path: Path, row: dict[str, Any], outcome: str, reward: float | None, extracted: str | None
) -> None:
    (scored,) = score(tmp_path, "math", [row])
    assert (scored["outcome"], scored["reward"]) == (outcome, reward)
    assert scored.get("extracted") == extracted
    assert scored["seconds"] > 0.0


def test_math_in_several_processes(tmp_path: Path) -> None:
    rows = [
        {"prediction": f"\\frac{{{i}}}{{2}}", "gold": f"{i * 3}/6", "is_answer": True, "id": i}
        for i in range(60)
    ]
    scored = score(tmp_path, "math", rows, "--workers", "2")
    assert [row["id"] for row in scored] == list(range(60))
    assert {row["outcome"] for row in scored} == {"correct"}


TESTS = [{"stdin": "3 4\n", "stdout": "7\n"}]
ADD = "print(sum(map(int, input().split())))"


@pytest.mark.integration
@pytest.mark.parametrize("workers", ["1", "2"])
def test_code(tmp_path: Path, workers: str) -> None:
    rows = [
        {"code": ADD, "tests": TESTS},
        {"code": "print(8)", "tests": TESTS},
        {"code": "1/0", "tests": TESTS},
        {"code": "while True: pass", "tests": TESTS, "time_limit_s": 0.5},
        {
            "code": "def add(a, b): return a + b",
            "tests": [{"args": [3, 4], "expected": 7}],
            "entry_point": "add",
        },
        {"code": "def add(a, b): return a - b", "tests": ["assert add(3, 4) == 7"]},
    ]
    scored = score(tmp_path, "code", rows, "--workers", workers)
    assert [(row["outcome"], row["reward"]) for row in scored] == [
        ("accepted", 1.0),
        ("wrong_answer", 0.0),
        ("runtime_error", 0.0),
        ("time_limit", 0.0),
        ("accepted", 1.0),
        ("wrong_answer", 0.0),
    ]
    assert "detail" in scored[1] and "detail" not in scored[0]


def test_fields_of_bad_rows_are_named(tmp_path: Path, capfd: Any) -> None:
    for kind, row, expected in [
        ("math", {"prediction": "7", "gold": "7"}, "is_answer: missing"),
        ("math", {"prediction": "7", "gold": "7", "is_answer": 1}, "is_answer: 1 is not true or"),
        ("math", {"prediction": "7", "gold": 7, "is_answer": True}, "gold: 7 is not text"),
        ("code", {"tests": TESTS}, "code: missing"),
        ("code", {"code": ADD}, "tests: missing"),
        ("code", {"code": ADD, "tests": TESTS, "language": "basic"}, "language: 'basic'"),
    ]:
        source = tmp_path / "in.jsonl"
        source.write_text(json.dumps(row) + "\n")
        assert main(["score", kind, str(source)]) == 1
        output, errors = capfd.readouterr()
        assert output == ""
        assert errors.startswith(f"{source}:1: {expected}")
