"""The table at the end and the lines on the way, without a terminal."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

from rich.console import Console

from launch.eval_console import EvalProgress, print_results
from recipes.measures import Answer, measure
from rl.records import Outcome


def measures(
    *outcomes: Outcome, votes: bool = True, parts: tuple[bool, ...] = ()
) -> dict[str, Any]:
    answers = [Answer(outcome, "7", 1500, "stop", parts, 0.75) for outcome in outcomes]
    found = asdict(measure([answers, answers], votes=votes))
    found["pass_at"] = {str(k): rate for k, rate in found["pass_at"].items()}
    return found


def printed(results: dict[str, dict[str, Any]]) -> str:
    file = io.StringIO()
    print_results(results, Console(file=file, width=80))
    return file.getvalue()


def test_the_table_fits_into_80_columns_and_says_all() -> None:
    output = printed(
        {
            "livecodebench": measures(*[Outcome.CORRECT] * 64, votes=False),
            "aime_2024": measures(Outcome.CORRECT, Outcome.WRONG, Outcome.TIMEOUT, Outcome.WRONG),
            "ifeval": measures(Outcome.CORRECT, votes=False, parts=(True, False)),
        }
    )
    assert "…" not in output
    lines = output.splitlines()
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if "AIME 2024" in line)
    assert row.split() == ["AIME", "2024", "2", "x", "4", "25.0", "100.0", "100.0", "1,500"]
    assert "IFEval: 50.0% of all instructions were followed" in output
    assert "IFEval: 75.0% of the thinking is in the problem's language" in output
    assert "AIME 2024: 2 of 8 samples could not be checked in time, counted as not co" in output


def test_progress_in_lines() -> None:
    file = io.StringIO()
    with EvalProgress("aime_2024", 10, 4, Console(file=file, width=100)) as progress:
        progress.sampled(100, True)
        progress.sampled(50, False)
    first, last = file.getvalue().splitlines()
    assert first == "AIME 2024: 4/10 samples"
    assert last.startswith("AIME 2024: 6/10 samples  ")
    assert "tok/s  correct 50.0%  eta 0:00" in last


def test_nothing_left_to_sample_says_nothing_more() -> None:
    file = io.StringIO()
    with EvalProgress("aime_2024", 10, 10, Console(file=file)):
        pass
    assert file.getvalue() == "AIME 2024: 10/10 samples\n"
