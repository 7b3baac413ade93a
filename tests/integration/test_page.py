"""The page of a run in a real browser: hostile rollouts, ten thousand of them, and finding some."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from launch.page.document import SCRIPTS, document
from launch.page.rollouts import Snapshot
from launch.page.summary import summarise
from launch.report import write_report
from rl.records import Outcome
from rollout.journal import Journal
from tests.chromium import data_of, dom_of, needs_chromium
from tests.run_folders import RIGHT, WRONG, group, make_run, sample
from tests.unit.launch.page.test_server import serving

pytestmark = [pytest.mark.integration, needs_chromium]

OWNED = "document.documentElement.dataset.owned='yes'"
HOSTILE = (
    f"</script><script>{OWNED}</script><!--<script>"
    f'<img src=x onerror="{OWNED}"><svg onload="{OWNED}"></svg>'
    f"</pre></style></title><script>{OWNED}</script><iframe srcdoc='<script>parent.{OWNED}"
    f"</script>'></iframe><a href='javascript:{OWNED}' autofocus onfocus=\"{OWNED}\">x</a>"
    f"'-({OWNED})-'\"-({OWNED})-\"`${{{OWNED}}}`\u2028{OWNED}\u2029{{{{script}}}}\\u003cscript>"
)

LIST_LIMIT_MS = 200
"""For selecting and drawing among 10,000 rollouts, the best of three."""


def hostile_run(folder: Path) -> Path:
    parts = {HOSTILE: 1.0, "__proto__": 0.5, "constructor": 0.25, "format": 1.0}
    texts = [
        f"<think>{HOSTILE}</think><answer>{HOSTILE}</answer>",
        f"<think>{HOSTILE}",
        HOSTILE,
        f"</think>\\boxed{{{HOSTILE}}}",
    ]
    samples = [sample(text, parts=parts) for text in texts]
    groups = [group(f"{n} {HOSTILE}", samples, HOSTILE, HOSTILE, kind=HOSTILE) for n in (1, 2)]
    line = {"step": 1, "reward/accuracy/mean": 0.5, f"reward/{HOSTILE}/mean": 1.0, HOSTILE: 2.0}
    return make_run(folder, journal={1: groups}, evaluations={0: groups, 1: groups}, metrics=[line])


def test_the_canary_sings(tmp_path: Path) -> None:
    """Without escaping and without policy the same text does run."""
    bare = tmp_path / "bare.html"
    bare.write_text(f"<!doctype html><html><body><pre>{HOSTILE}</pre></body></html>")
    assert data_of(dom_of(bare.as_uri(), tmp_path / "profile"))["owned"] == "yes"


def test_nothing_in_a_rollout_runs(tmp_path: Path) -> None:
    report = write_report(hostile_run(tmp_path / "<img src=x onerror=1>run"))
    words = "#step=eval-1&think=open&group=all&q=%3Cscript%3E&filter=constructor&theme=%22%3E"
    dom = dom_of(report.as_uri() + words, tmp_path / "profile")
    data = data_of(dom)
    assert data["ready"] == "report" and data["prompts"] == "2" and data["completions"] == "8"
    assert "owned" not in data
    body = dom[dom.index("</head>") :]
    assert not re.search(r"<(?:img|iframe|a href)", re.sub(r'"[^"]*"', "", body))
    # It is there to be read, as text.
    assert "&lt;img src=x onerror=" in body


def test_the_policy_alone_would_hold(tmp_path: Path) -> None:
    """A script that got into the page in spite of all does not run, nor does a handler."""
    page = document("t", {"live": False, "run": {}}, live=False)
    broken = page.replace(
        "<footer>", f'<script>{OWNED}</script><svg onload="{OWNED}"></svg><footer>'
    )
    path = tmp_path / "page.html"
    path.write_text(broken)
    dom = dom_of(path.as_uri(), tmp_path / "profile")
    assert f"<script>{OWNED}</script>" in dom and "owned" not in data_of(dom)


def ten_thousand() -> list[dict[str, Any]]:
    def completion(i: int) -> dict[str, Any]:
        right = i % 3 == 0
        text = f"<think>{'word ' * 60}{'needle' if i == 8765 else ''}</think><answer>{i}</answer>"
        return {
            "text": text,
            "cut": 0,
            "tokens": 1 + i % 997,
            "finish_reason": "length" if i % 1000 == 500 else "stop",
            "policy_version": 3,
            "reward": 1.0 + right,
            "outcome": "correct" if right else "wrong",
            "parts": {"accuracy": float(right), "format": 1.0},
            "advantage": 0.5,
            "extracted": str(i),
            "mixed": i % 2500 == 7,
        }

    return [
        {
            "id": f"p{i}",
            "prompt": f"User: problem {i}",
            "answer": "7",
            "opened": False,
            "before": {"at": "1", "right": 1.0} if i < 300 else None,
            "completions": [completion(i)],
        }
        for i in range(10_000)
    ]


DRIVER = """
const results = {};
const root = document.documentElement;
const read = () => ({
  prompts: Number(root.dataset.prompts),
  ms: Number(root.dataset.milliseconds),
  rows: document.querySelectorAll(".row").length,
  first: document.querySelector(".row")?.getAttribute("aria-posinset") ?? "",
  opened: document.querySelector(".group-head")?.textContent.match(/ (p[0-9]+) /)?.[1] ?? "",
  picked: document.querySelector("[aria-selected=true]")?.id ?? "",
});
const press = (selector, key) => document.querySelector(selector)
  .dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const many = (act) => {
  const start = performance.now();
  for (let i = 0; i < 20; i += 1) act(i);
  return (performance.now() - start) / 20;
};
(async () => {
  while (!root.dataset.ready) await null;
  for (const [filter, q] of QUERIES) {
    const seen = [];
    for (let i = 0; i < 3; i += 1) {
      go({ filter: "all", q: "nothing at all", prompt: "" });
      go({ filter, q });
      seen.push(read());
    }
    results[`${filter} ${q}`] = seen.sort((a, b) => a.ms - b.ms)[0];
  }
  go({ filter: "all", q: "", prompt: "p9000" });
  results.linked = read();
  press(".list", "ArrowDown");
  results.down = read();
  press(".panel", "k");
  press(".panel", "k");
  results.up = read();
  press(".list", "End");
  results.end = read();
  results.scroll_ms = many((i) => press(".list", i % 2 ? "Home" : "End"));
  press(".panel", "ArrowRight");
  results.focus = document.activeElement.className;
  press(".panel", "t");
  results.thinking = document.querySelector(".think").open;
  results.address = location.hash;
  results.smoothed = smoothed([{ x: 1, y: 1 }, { x: 2, y: 0 }, { x: 3, y: 0 }], 0.5);
  results.ticks = [linearScale(0, 1, 4), linearScale(-3, 7, 4), logScale(1e-6, 1),
    logScale(2, 30)].map(({ ticks }) => ticks);
  results.places = [linearScale(2, 4).place(3), logScale(1e-4, 1).place(1e-3)];
  const plot = document.querySelector(".plot");
  const card = plot.closest(".chart");
  const box = plot.getBoundingClientRect();
  const pointer = (type, share) => plot.dispatchEvent(new PointerEvent(type, { pointerId: 1,
    clientX: box.left + MARGIN.left + share * (box.width - MARGIN.left - MARGIN.right) }));
  plot.setPointerCapture = () => {};
  pointer("pointermove", 0.5);
  results.hover = card.querySelector(".reading").textContent;
  pointer("pointerdown", 0.25);
  pointer("pointermove", 0.75);
  results.shaded = document.querySelectorAll(".shade").length;
  pointer("pointerup", 0.75);
  results.dragged = [at("from"), at("to")];
  results.drawn = card.querySelector("polyline").getAttribute("points").split(" ").length;
  press(".plot", "ArrowLeft");
  press(".plot", "+");
  results.zoomed = [at("from"), at("to")];
  press(".plot", "0");
  results.whole = [at("from"), at("to")];
  root.dataset.results = JSON.stringify(results);
})();
"""
QUERIES = {
    ("all", ""): (10_000, "p0"),
    ("wrong", ""): (6_666, "p1"),
    ("wrong", "Needle"): (1, "p8765"),
    ("longest", ""): (10_000, "p996"),
    ("truncated", ""): (10, "p500"),
    ("mixed", ""): (4, "p7"),
    ("flips", ""): (200, "p1"),
    ("all", "PROBLEM 77"): (111, "p77"),
    ("all", "nowhere"): (0, ""),
}
"""(filter, search) -> prompts found, and the first of them."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What DRIVER saw in a page with 10,000 prompts of one rollout each: the longest list."""
    folder = tmp_path_factory.mktemp("large")
    driver = folder / "driver.js"
    driver.write_text(f"const QUERIES = {json.dumps(list(QUERIES))};\n{DRIVER}")
    lines = [{"step": step, "reward/accuracy/mean": step / 100} for step in range(1, 22)]
    run = summarise(make_run(folder / "run", metrics=lines), [])
    run["snapshots"] = [{"id": "2", "step": 2, "sampled": False}]
    data = {"live": False, "note": "", "run": run, "rollouts": {"2": ten_thousand()}}
    page = folder / "large.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("launch.page.document.SCRIPTS", (*SCRIPTS, str(driver)))
        page.write_text(document("large", data, live=False))
    dom = dom_of(page.as_uri(), folder / "profile")
    return json.loads(data_of(dom)["results"])


@pytest.mark.parametrize("query", list(QUERIES))
def test_filters_and_search_find_among_ten_thousand(
    results: dict[str, Any], query: tuple[str, str]
) -> None:
    prompts, first = QUERIES[query]
    seen = results[" ".join(query)]
    assert (seen["prompts"], seen["opened"]) == (prompts, first)
    assert seen["rows"] == min(prompts, seen["rows"]) < 60
    assert seen["ms"] < LIST_LIMIT_MS


def test_ten_thousand_rows_scroll_like_ten(results: dict[str, Any]) -> None:
    assert results["scroll_ms"] < LIST_LIMIT_MS
    assert (results["linked"]["opened"], results["linked"]["picked"]) == ("p9000", "row-9000")
    assert int(results["linked"]["first"]) > 8_900
    assert results["end"]["opened"] == "p9999"


def test_keys(results: dict[str, Any]) -> None:
    assert results["down"]["opened"] == "p9001"
    assert results["up"]["opened"] == "p8999"
    assert "completion" in results["focus"].split()
    assert results["thinking"] is True
    assert results["address"] == "#step=2&prompt=p0&think=open"


def test_smoothing_and_axes(results: dict[str, Any]) -> None:
    # Half of the past, without the bias of the start: 1, (1/4) / (3/4), (1/8) / (7/8).
    assert [p["y"] for p in results["smoothed"]] == pytest.approx([1, 1 / 3, 1 / 7])
    assert results["ticks"] == [
        [0, 0.5, 1],
        [0, 5],
        [1e-6, 1e-4, 1e-2, 1],
        [2, 5, 10, 20],
    ]
    assert results["places"] == pytest.approx([0.5, 0.25])


def test_hover_and_zoom(results: dict[str, Any]) -> None:
    assert results["hover"] == "step 11 0.11"
    assert results["shaded"] == 1
    assert results["dragged"] == ["6", "16"] and results["drawn"] == 11
    # From 6..16 at step 16, one to the left: 15 plus and minus half of the half width, rounded.
    assert results["zoomed"] == ["13", "18"]
    assert results["whole"] == ["", ""]


def test_live_page_shows_the_step_that_the_server_has(tmp_path: Path) -> None:
    wrong = sample(WRONG, Outcome.WRONG)
    groups = [group("a", [sample(RIGHT), wrong]), group("<b>b", [wrong, wrong])]
    full_disk = {"step": 1, "reward/accuracy/mean": 0.5, "perf/disk_free_frac": 0.05}
    run = make_run(tmp_path / "run", journal={1: groups, 2: groups[:1]}, metrics=[full_disk])
    status = {"phase": "training", "step": 1, "steps": 9, "updated": 1e9, "late_after_s": 60}
    (run / "status.json").write_text(json.dumps(status))
    with serving(run) as server:
        dom = dom_of(f"{server.url}#step=1&filter=wrong", tmp_path / "profile", wait_ms=5000)
    data = data_of(dom)
    assert (data["prompts"], data["completions"]) == ("2", "3")
    assert "training · step 1 of 9" in dom
    shown = dom[: dom.index('<script type="application/json"')]
    assert re.findall(r"· (\S+) · right in", shown) == ["&lt;b&gt;b"]
    assert "</b> (now): no step for more than 60 s" in shown
    assert "</b> (since step 1): 5.0% of the disk of run_dir is free" in shown


def test_new_steps_appear_without_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", journal={1: [group("old", [sample(RIGHT)] * 2)]})
    new = [group("new", [sample(RIGHT)] * 3)]
    asked = []
    with serving(run) as server:
        find = server.rollouts.snapshots

        def find_and_train_on() -> list[Snapshot]:
            asked.append(1)
            if len(asked) == 6:
                Journal(run / "journal").write(1, 0, new)
                with (run / "metrics.jsonl").open("a") as file:
                    file.write('{"step": 2, "reward/accuracy/mean": 0.625}\n')
            return find()

        monkeypatch.setattr(server.rollouts, "snapshots", find_and_train_on)
        dom = dom_of(server.url, tmp_path / "profile", wait_ms=20_000)
    assert len(asked) > 6
    assert (data_of(dom)["prompts"], data_of(dom)["completions"]) == ("1", "3")
    assert "· new ·" in dom and "· old ·" not in dom
    assert "0.625 at step 2" in dom
