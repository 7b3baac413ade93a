"""What a person sees of an evaluation: progress while it samples, and a table at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from launch.console import clock
from recipes.benchmarks.table import BENCHMARKS
from rl.records import Outcome

NOT_ANSWERED = {
    Outcome.NO_ANSWER: "give no answer",
    Outcome.TIMEOUT: "could not be checked in time, counted as not correct",
    Outcome.UNPARSEABLE_GOLD: "have a reference answer the checker cannot read, counted as not "
    "correct",
    Outcome.CHECKER_ERROR: "could not be checked, counted as not correct",
}
"""Outcomes that say nothing about an answer, in words."""
LINE_INTERVAL_S = 15.0
"""Between two lines of progress where there is no terminal to draw on."""


class EvalProgress:
    """Progress of one benchmark; use as a context manager. Speed and remaining time are those of
    this attempt."""

    def __init__(self, name: str, total: int, done: int, console: Console | None = None) -> None:
        """total: samples of the benchmark. done: how many earlier attempts left behind."""
        self._console = console or Console()
        self._title = BENCHMARKS[name].title
        self._total, self._done, self._new, self._tokens = total, done, 0, 0
        self._correct = 0
        self._began = self._said = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> EvalProgress:
        if self._console.is_terminal:
            self._live = Live(self._screen(), console=self._console, refresh_per_second=4)
            self._live.start()
        else:
            self._say()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
        elif self._new:
            self._say()

    def sampled(self, tokens: int, correct: bool) -> None:
        """One more sample, of so many tokens."""
        self._done, self._new, self._tokens = self._done + 1, self._new + 1, self._tokens + tokens
        self._correct += correct
        if self._live:
            self._live.update(self._screen())
        elif time.monotonic() - self._said > LINE_INTERVAL_S:
            self._say()

    def _facts(self) -> list[str]:
        elapsed = time.monotonic() - self._began
        facts = [f"{self._done}/{self._total} samples"]
        if self._new:
            remaining = elapsed / self._new * (self._total - self._done)
            facts += [
                f"{self._tokens / elapsed:,.0f} tok/s",
                f"correct {self._correct / self._new:.1%}",
                f"eta {clock(remaining)}",
            ]
        return facts

    def _say(self) -> None:
        self._said = time.monotonic()
        self._console.print(f"{self._title}: {'  '.join(self._facts())}", highlight=False)

    def _screen(self) -> Table:
        line = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=self._total, completed=self._done, width=40)
        line.add_row(self._title, bar, *self._facts())
        return line


def print_results(results: Mapping[str, Mapping[str, Any]], console: Console | None = None) -> None:
    """results: benchmark -> its measures, as in eval/NAME.json. Fits into 80 columns."""
    console = console or Console()
    table = Table(
        title="rates in % over 95 % confidence intervals; m problems, n samples each",
        box=SIMPLE_HEAD,
    )
    table.add_column("benchmark", no_wrap=True)
    for heading in ("m x n", "pass@1", "pass@n", "cons@n", "tokens"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, measures in results.items():
        n, pass_at = measures["samples_per_problem"], measures["pass_at"]
        table.add_row(
            BENCHMARKS[name].title,
            f"{measures['problems']} x {n}",
            _rate(pass_at["1"]),
            _rate(pass_at[str(n)]) if n > 1 else "",
            _rate(measures["cons"]),
            f"{measures['mean_tokens']:,.0f}\n{measures['truncated']:.1%} cut",
        )
    console.print(table)
    for name, measures in results.items():
        for note in _notes(measures):
            console.print(f"{BENCHMARKS[name].title}: {note}", highlight=False, soft_wrap=True)


def _notes(measures: Mapping[str, Any]) -> Iterator[str]:
    """What the columns do not say."""
    if measures["instruction_accuracy"] is not None:
        yield f"{measures['instruction_accuracy']:.1%} of all instructions were followed"
    if measures["language_consistency"] is not None:
        yield f"{measures['language_consistency']:.1%} of the thinking is in the problem's language"
    samples = measures["problems"] * measures["samples_per_problem"]
    for outcome, meaning in NOT_ANSWERED.items():
        if count := measures["outcomes"].get(outcome):
            yield f"{count} of {samples} samples {meaning}"


def _rate(rate: Mapping[str, float] | None) -> str:
    if rate is None:
        return ""
    return f"{100 * rate['value']:.1f}\n{100 * rate['low']:.1f}-{100 * rate['high']:.1f}"
