"""`launch score` from the outside: files in, files and exit codes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from launch.cli import main

GOOD = {"completion": "<think>3+4=7</think><answer>7</answer>", "prompt_suffix": ""}
BAD = {"completion": "7", "prompt_suffix": ""}
LONG = "We need to find the value of the sum and then divide it by two."


def write(path: Path, *rows: object) -> Path:
    """Text as it is, everything else as JSON."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_keep_their_order_and_their_fields(tmp_path: Path, capfd: Any) -> None:
    rows = [{**(GOOD if i % 3 else BAD), "id": i, "note": "中文"} for i in range(200)]
    out = tmp_path / "out.jsonl"
    assert (
        main(["score", "format", str(write(tmp_path / "in.jsonl", *rows)), "--out", str(out)]) == 0
    )
    scored = read(out)
    assert [row["id"] for row in scored] == list(range(200))
    assert "中文" in out.read_text()
    for row in scored:
        assert row["outcome"] == ("well_formed" if row["id"] % 3 else "malformed")
        assert row["reward"] == (1.0 if row["id"] % 3 else 0.0)
        assert 0.0 <= row["seconds"] < 1.0
        assert list(row) == [*rows[0], "outcome", "reward", "seconds"]
    output, errors = capfd.readouterr()
    assert output == ""
    assert "200 rows" in errors and "0 bad lines" in errors
    assert "well_formed           133   66.5%  reward 1.000" in errors
    assert "malformed              67   33.5%  reward 0.000" in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_without_out_rows_go_to_standard_output(tmp_path: Path, capfd: Any) -> None:
    assert main(["score", "format", str(write(tmp_path / "in.jsonl", GOOD, BAD))]) == 0
    output, errors = capfd.readouterr()
    assert [json.loads(line)["reward"] for line in output.splitlines()] == [1.0, 0.0]
    assert "2 rows" in errors


@pytest.mark.parametrize(
    ("extra", "reward"),
    [
        ({"completion": "3+4=7</think><answer>7</answer>", "prompt_suffix": "<think>\n"}, 1.0),
        ({"finish_reason": "length"}, 0.0),
        ({"completion": "<think>a</think>7", "form": "think_tags"}, 1.0),
        ({"completion": "<think>a</think>7", "form": "soft"}, 0.5),
    ],
)
def test_format(tmp_path: Path, extra: dict[str, str], reward: float) -> None:
    out = tmp_path / "out.jsonl"
    source = write(tmp_path / "in.jsonl", GOOD | extra)
    assert main(["score", "format", str(source), "--out", str(out)]) == 0
    assert read(out)[0]["reward"] == reward


def test_language(tmp_path: Path, capfd: Any) -> None:
    rows = [
        {"completion": f"<think>{LONG}</think>答案是七。", "target": "en"},
        {"completion": f"<think>{LONG}</think>答案是七。", "target": "zh"},
        {"completion": f"<think>{LONG} 我们需要先求出这个三角形的面积，然后除以二", "target": "zh"},
        {"completion": "<think>3+4=7</think>" + LONG, "target": "en"},
    ]
    out = tmp_path / "out.jsonl"
    source = write(tmp_path / "in.jsonl", *rows)
    assert main(["score", "language", str(source), "--out", str(out)]) == 0
    english, chinese, mixed, short = read(out)
    assert (english["reward"], english["outcome"]) == (1.0, "scored")
    assert english["detail"]["words"] == english["detail"]["target_words"] == 15
    assert english["detail"]["stripped_share"] == 0.0
    assert chinese["reward"] == 0.0
    assert mixed["reward"] == pytest.approx(0.48, abs=0.05)
    assert (short["reward"], short["outcome"]) == (None, "too_few_words")
    errors = capfd.readouterr().err
    assert "too_few_words" in errors and "reward none" in errors


BAD_LINES = [
    ("nonsense", "not JSON"),
    ('{"completion": "a", ', "not JSON"),
    ("[1, 2]", "not a JSON object"),
    ("[" * 100_000, "nested too deeply"),
    ('{"a": ' + "9" * 5000 + "}", "not JSON"),
    ({"completion": "text"}, "target: missing"),
    ({"target": "en"}, "completion: missing"),
    ({"completion": 7, "target": "en"}, "completion: 7 is not text"),
    ({"completion": None, "target": "en"}, "completion: null is not text"),
    ({"completion": "text", "target": "xx"}, "target: unknown 'xx'; choose from: "),
]


def test_bad_lines_are_named_and_left_out(tmp_path: Path, capfd: Any) -> None:
    good = {"completion": LONG, "target": "en"}
    rows: list[object] = [good, ""]
    for bad, _ in BAD_LINES:
        rows += [bad, good]
    source = write(tmp_path / "in.jsonl", *rows)
    out = tmp_path / "out.jsonl"
    assert main(["score", "language", str(source), "--out", str(out)]) == 1
    assert [row["reward"] for row in read(out)] == [1.0] * (len(BAD_LINES) + 1)
    *problems, _, _ = capfd.readouterr().err.splitlines()
    assert len(problems) == len(BAD_LINES)
    for index, (problem, (_, expected)) in enumerate(zip(problems, BAD_LINES, strict=True)):
        assert problem.startswith(f"{source}:{2 * index + 3}: {expected}"), problem


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path, capfd: Any) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"completion": "\xff\xfe", "target": "en"}\n')
    assert main(["score", "language", str(source)]) == 1
    assert f"{source}:1: not JSON" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["format", "language"])
def test_strict_stops_at_the_first_bad_line(tmp_path: Path, capfd: Any, kind: str) -> None:
    row = {**GOOD, "target": "en"}
    source = write(tmp_path / "in.jsonl", row, "nonsense", "more nonsense", row)
    out = tmp_path / "out.jsonl"
    out.write_text("as it was\n")
    assert main(["score", kind, str(source), "--out", str(out), "--strict"]) == 1
    assert out.read_text() == "as it was\n"
    errors = capfd.readouterr().err
    assert f"{source}:2: not JSON" in errors and f"{source}:3" not in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_mistakes_in_the_command_are_one_line(tmp_path: Path, capfd: Any) -> None:
    source = str(write(tmp_path / "in.jsonl", GOOD))
    for arguments, expected in [
        (["poetry", source], "unknown kind 'poetry'; choose from: math, code, format, language"),
        (["format", f"{tmp_path}/none.jsonl"], "none.jsonl: no such file"),
        (["format", str(tmp_path)], "no such file"),
        (["format", source, "--out", source], "is the file to score"),
        (["format", source, "--out", f"{tmp_path}/none/out.jsonl"], "no folder"),
        (["format", source, "--out", str(tmp_path)], "is a folder"),
        (["format", source, "--workers", "0"], "--workers 0"),
    ]:
        assert main(["score", *arguments]) == 2, arguments
        output, errors = capfd.readouterr()
        assert output == "" and len(errors.splitlines()) == 1
        assert expected in errors
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_scoring_again_replaces_the_results(tmp_path: Path) -> None:
    stale = {
        **GOOD,
        "outcome": "old",
        "reward": 9,
        "extracted": "old",
        "detail": "old",
        "seconds": 9,
    }
    out = tmp_path / "out.jsonl"
    assert (
        main(["score", "format", str(write(tmp_path / "in.jsonl", stale)), "--out", str(out)]) == 0
    )
    (row,) = read(out)
    assert row["outcome"] == "well_formed" and row["reward"] == 1.0 and row["seconds"] < 9
    assert "extracted" not in row and "detail" not in row


def test_lone_surrogates_survive(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", '{"completion": "\\ud800 \\u4e2d", "prompt_suffix": ""}')
    out = tmp_path / "out.jsonl"
    assert main(["score", "format", str(source), "--out", str(out)]) == 0
    assert read(out)[0]["completion"] == "\ud800 中"


def test_an_empty_file_gives_an_empty_file(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.touch()
    assert main(["score", "format", str(source), "--out", str(out)]) == 0
    assert out.read_text() == ""


def test_workers_change_nothing_but_the_time(tmp_path: Path, capfd: Any) -> None:
    rows: list[object] = [{**(GOOD if i % 2 else BAD), "id": i} for i in range(300)]
    rows[150] = "nonsense"
    source = write(tmp_path / "in.jsonl", *rows)
    results = []
    for workers in ("1", "2"):
        out = tmp_path / f"{workers}.jsonl"
        assert main(["score", "format", str(source), "--out", str(out), "--workers", workers]) == 1
        assert capfd.readouterr().err.count(f"{source}:151: not JSON") == 1
        results.append([{**row, "seconds": 0} for row in read(out)])
    assert len(results[0]) == 299
    assert results[0] == results[1]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", *[{**GOOD, "padding": "x" * 1000}] * 500)
    command = f"{sys.executable} -m launch.cli score format {source} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert json.loads(done.stdout)["reward"] == 1.0
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
