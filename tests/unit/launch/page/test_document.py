"""The document is whole, and data stays data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from configs.errors import UserError
from launch.page.document import FOLDER, SCRIPTS, document, json_for_html, plain_json
from launch.page.summary import examples, summarise
from launch.report import write_report
from rl.records import Outcome
from tests.run_folders import RIGHT, WRONG, group, make_run, sample

HOSTILE = "</script><script>x</script><!--<script>&lt; \u2028\u2029 {{script}} \\u003c \x00 \x7f"


class Elements(HTMLParser):
    """Names of all elements, and what the scripts and styles hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.raw: list[str] = []
        self.title = ""
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"] or ""

    def handle_data(self, data: str) -> None:
        if self.names and self.names[-1] in ("script", "style") and data.strip():
            self.raw.append(data)
        if self.names and self.names[-1] == "title":
            self.title += data


def test_json_for_html_is_the_same_data_without_markup() -> None:
    text = json_for_html({"a": [HOSTILE, None, 1.5]})
    assert json.loads(text) == {"a": [HOSTILE, None, 1.5]}
    assert not set(text) & set("<>&\u2028\u2029")


def test_json_is_readable_everywhere() -> None:
    assert json.loads(plain_json("lone \ud800")) == "lone \ud800"
    plain_json("lone \ud800").encode()
    with pytest.raises(ValueError):
        plain_json(float("nan"))


def test_no_text_adds_an_element() -> None:
    clean = Elements(document("t", {"a": "x"}, live=False))
    hostile = Elements(document(f"</title>{HOSTILE}", {HOSTILE: HOSTILE}, live=False))
    assert hostile.names == clean.names
    assert hostile.title.startswith("</title></script><script>")


def test_the_policy_names_the_one_script_and_the_one_style() -> None:
    page = Elements(document("t", {}, live=False))
    style, data, script = page.raw
    for kind, content in (("style", style), ("script", script)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy
    assert data == "{}"
    assert "unsafe" not in page.policy and "connect-src 'none'" in page.policy
    assert "connect-src 'self'" in Elements(document("t", {}, live=True)).policy


def test_nothing_is_loaded_and_no_string_becomes_markup() -> None:
    text = document("t", {}, live=False)
    addresses = set(re.findall(r"https?://[^\"'\s]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc"
    assert not re.search(sinks, text)


def test_every_script_is_in_the_page_and_short() -> None:
    assert {path.name for path in FOLDER.glob("*.js")} == set(SCRIPTS)
    for path in FOLDER.iterdir():
        if path.suffix in (".js", ".css", ".html"):
            lines = path.read_text().splitlines()
            assert len(lines) <= 300, path
            assert max(map(len, lines)) <= 100, path


def test_report_holds_the_run(tmp_path: Path) -> None:
    right, wrong = sample(RIGHT), sample(WRONG, Outcome.WRONG)
    run = make_run(
        tmp_path / "<b>run",
        samples={1: [group("a", [right, wrong])]},
        evaluations={
            0: [group("h1", [wrong, wrong]), group("h2", [wrong, right])],
            1: [group("h1", [right, right]), group("h2", [wrong, wrong])],
        },
        metrics=[{"step": 1, "reward/accuracy/mean": 0.5, "actor/grad_norm": float("nan")}],
    )
    page = Elements(write_report(run).read_text())
    data = json.loads(page.raw[1])
    assert data["run"]["name"] == "<b>run" and data["run"]["metrics"] == {
        "reward/accuracy/mean": [0.5]
    }
    assert [entry["id"] for entry in data["run"]["snapshots"]] == ["eval-0", "1", "eval-1"]
    assert [entry["pass_at_1"] for entry in data["run"]["evaluations"]] == [0.25, 0.5]
    assert {name: len(groups) for name, groups in data["rollouts"].items()} == {
        "eval-0": 2,
        "1": 1,
        "eval-1": 2,
    }
    assert data["run"]["examples"][0]["id"] == "h1"


def test_a_run_that_has_only_just_begun_has_a_report(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", metrics=[])
    (run / "status.json").unlink()
    assert json.loads(Elements(write_report(run).read_text()).raw[1])["run"]["charts"] == []


def test_a_folder_without_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a run folder \(no config.yaml\)"):
        write_report(tmp_path)


def test_examples_that_improved_most_come_first() -> None:
    def entry(name: str, *outcomes: str) -> dict[str, object]:
        completions = [{"text": "", "outcome": outcome, "tokens": 1} for outcome in outcomes]
        return {"prompt_id": name, "prompt": "p", "answer": "7", "completions": completions}

    before = [
        entry("stays", "correct", "correct"),
        entry("better", "wrong", "correct"),
        entry("best", "wrong", "wrong"),
        entry("only before", "wrong"),
    ]
    after = [
        entry("best", "correct", "correct"),
        entry("better", "correct", "correct"),
        entry("stays", "correct", "correct"),
    ]
    found = examples(before, after)
    assert [example["id"] for example in found] == ["best", "better", "stays"]
    assert (found[0]["before"]["right"], found[0]["after"]["right"]) == (0, 2)


def test_alarms_are_in_the_page_with_their_steps(tmp_path: Path) -> None:
    lines = [
        {
            "step": step,
            "response_length/mean": 9.0,
            "response_length/clip_ratio": 0.9 if step > 7 else 0.0,
            "actor/loss": 0.1,
            "perf/disk_free_frac": 0.05 if step == 3 else 0.5,
        }
        for step in range(1, 13)
    ]
    run = make_run(tmp_path / "run", metrics=lines)
    found = summarise(run, [])["alarms"]
    assert [(e["alarm"]["name"], e["first_step"], e["last_step"], e["now"]) for e in found] == [
        ("disk", 3, 3, False),
        ("length_clipping", 9, 12, True),
    ]
