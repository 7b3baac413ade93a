"""The table of all stages, and the page of a pipeline around it."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from launch.manifest import Manifest
from launch.page.pipeline import BAR_WIDTH
from launch.report import write_report
from launch.stage_table import print_stage_table, stage_lines
from recipes.measures import Measures, Rate
from recipes.r1 import MODELS

HOSTILE = '"><script>alert(1)</script>'


def measures(pass_at_1: float, language: float | None, tokens: float, worth: float | None = None):
    return asdict(
        Measures(
            problems=8,
            samples_per_problem=4,
            pass_at={1: Rate(pass_at_1, pass_at_1 - 0.1, pass_at_1 + 0.1)},
            cons=None,
            instruction_accuracy=None,
            language_consistency=language,
            format=None if worth is not None else 1.0,
            worth=worth,
            mean_tokens=tokens,
            truncated=0.0,
            outcomes={},
        )
    )


def pipeline(folder: Path, results: dict[str, Any]) -> Path:
    """A pipeline whose R1-Zero and evaluation are made and whose cold-start data has begun."""
    settings = {"recipe": {"kind": "pipeline"}, "model": {"path": f"/m/{HOSTILE}"}, "seed": 3}
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    for name, complete in (("zero", True), ("cold_start_data", False), ("evaluation", True)):
        stage = folder / "stages" / name
        stage.mkdir(parents=True)
        Manifest(name, {}, complete=complete, counts={"version": 80}, seconds=61.0).write(stage)
    (folder / "stages" / "zero" / "report.html").touch()
    filters = [{"filter": HOSTILE, "dropped": 1200, "left": 5}]
    counts = folder / "stages" / "cold_start_data" / "counts.json"
    counts.write_text(json.dumps({"filters": filters}))
    (folder / "stages" / "evaluation" / "measures.json").write_text(json.dumps(results))
    return folder


RESULTS = json.loads(
    json.dumps(
        {
            "zero": {"nano": measures(0.92, None, 16.0), "nano_safety": measures(0, None, 9, 0.25)},
            "rl_all": {"nano": measures(0.5, 0.981, 32.0), "nano_safety": measures(0, 1, 9, 0.75)},
        }
    )
)
"""As a file holds them."""


def test_lines_are_the_measures_that_mean_something() -> None:
    lines = {f"{line.benchmark} {line.measure}": line for line in stage_lines(RESULTS)}
    assert list(lines) == [
        "nano world pass@1",
        "nano world format",
        "nano world language",
        "nano world tokens",
        "nano safety language",
        "nano safety worth",
        "nano safety tokens",
    ]
    assert lines["nano world pass@1"].values == (0.92, 0.5)
    assert lines["nano world pass@1"].intervals[1] == (0.4, 0.6)
    assert [lines["nano world language"].shown(place) for place in (0, 1)] == ["", "98.1"]
    assert [lines["nano world tokens"].shown(place) for place in (0, 1)] == ["16.0", "32.0"]


def test_the_table_in_the_console(tmp_path: Path) -> None:
    folder, out = pipeline(tmp_path / "run", RESULTS), io.StringIO()
    print_stage_table(folder / "stages" / "evaluation", Console(file=out, width=120))
    lines = [line.split() for line in out.getvalue().splitlines()]
    begin = lines.index(["nano", "world"])
    assert lines[begin + 1] == ["pass@1", "92.0", "50.0"]
    assert "R1-Zero" in out.getvalue()


def test_all_stages_fit_into_a_terminal(tmp_path: Path) -> None:
    everything = {stage.name: RESULTS["rl_all"] for stage in MODELS}
    folder, out = pipeline(tmp_path / "run", everything), io.StringIO()
    print_stage_table(folder / "stages" / "evaluation", Console(file=out, width=80))
    assert "…" not in out.getvalue()


def test_the_page_has_the_table_and_the_stages(tmp_path: Path) -> None:
    page = write_report(pipeline(tmp_path / "run", RESULTS)).read_text()
    assert "2 of 3 begun" in page and "3:03" in page
    assert f'title="40.0 to 60.0">50.0<svg width="{BAR_WIDTH}"' in page
    half, quarter = (f'class="fill" width="{BAR_WIDTH * each:.1f}"' for each in (0.5, 0.25))
    assert page.count(half) == 2, "half of 100 %, and 16 of the largest number of tokens, 32"
    assert page.count(quarter) == 1
    assert 'href="stages/zero/report.html"' in page
    assert 'href="stages/cold_start_data/report.html"' not in page
    assert "1,200" in page and "80 updates" in page and "not finished" in page
    assert "<script" not in page and "&lt;script&gt;" in page


def test_before_the_evaluation(tmp_path: Path) -> None:
    folder = pipeline(tmp_path / "run", {})
    (folder / "stages" / "evaluation" / "measures.json").unlink()
    assert "not been evaluated yet" in write_report(folder).read_text()
