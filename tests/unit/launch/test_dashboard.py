"""The view of W&B draws what runs log, and is sent to the server that W&B's settings name."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from launch.cli import main
from launch.dashboard import FIRST, pattern, sections, workspace
from launch.metric_names import METRICS
from launch.page.curves import CHARTS

KEY = "0123456789" * 4


def panels(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    banks = spec["section"]["panelBankConfig"]["sections"]
    return {bank["name"]: [panel["config"] for panel in bank["panels"]] for bank in banks}


def test_every_metric_of_a_run_is_drawn_over_our_own_steps() -> None:
    spec = json.loads(workspace("team", "project")._to_model().spec.model_dump_json(by_alias=True))
    drawn = panels(spec)
    assert list(drawn)[:2] == [FIRST, "Accuracy"]
    charts = [config for configs in drawn.values() for config in configs]
    assert {config["xAxis"] for config in charts} == {"train/step"}
    patterns = [config["metricRegex"] for config in charts]
    for metric in METRICS:
        name = metric.name.replace("*", "piece")
        found = any(re.search(each, name) for each in patterns)
        assert found is not name.startswith("data/"), name


def test_what_comes_first_comes_again_in_its_group() -> None:
    found = sections()
    assert {chart.title for chart in CHARTS if chart.key} <= {each.title for each in found[FIRST]}
    assert sum(map(len, found.values())) == len(CHARTS) + len(found[FIRST])


def test_a_star_stands_for_any_piece_and_a_dot_for_itself() -> None:
    found = pattern(["actor/lr", "reward/*/mean"])
    matches = [name for name in ("actor/lr", "reward/a.b/mean") if re.search(found, name)]
    assert matches == ["actor/lr", "reward/a.b/mean"]
    assert not any(re.search(found, name) for name in ("actor/lr2", "xreward/a/mean", "reward/a"))
    assert re.search(pattern(["a.b"]), "a.b") and not re.search(pattern(["a.b"]), "axb")


class FakeServer(BaseHTTPRequestHandler):
    """The two questions that W&B is asked."""

    refuses = False
    saved: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "upsertView" not in body["query"]:
            answer: dict[str, Any] = {"data": {"viewer": {"entity": "team", "username": "me"}}}
        elif self.refuses:
            answer = {"data": None, "errors": [{"message": "project not found"}]}
        else:
            self.saved.append(body["variables"])
            view = {"id": "1", "name": body["variables"]["name"]}
            answer = {"data": {"upsertView": {"view": view, "inserted": True}}}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeServer]]:
    handler = type("Handler", (FakeServer,), {"saved": []})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{http.server_port}")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    yield handler
    http.shutdown()
    http.server_close()


def test_the_view_is_saved_and_its_address_printed(
    server: type[FakeServer], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["dashboard", "team/project"]) == 0
    output = capfd.readouterr()
    (saved,) = server.saved
    assert (saved["entityName"], saved["projectName"]) == ("team", "project")
    assert saved["displayName"] == "R1 Foundry"
    assert FIRST in panels(json.loads(saved["spec"]))
    assert "/team/project?nw=" in output.out
    assert KEY not in output.out + output.err + saved["spec"]


def test_a_refusal_is_one_line(
    server: type[FakeServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses = True
    assert main(["dashboard", "team/project"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: W&B did not save the view in team/project:")
    assert "project not found" in error


@pytest.mark.parametrize("place", ["project", "team/", "/project", "a/b/c"])
def test_a_place_names_entity_and_project(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", place]) == 2
    assert capsys.readouterr().err == (
        f"error: {place}: must be ENTITY/PROJECT, as in my-team/r1-foundry\n"
    )


def test_without_a_key_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")
    assert main(["dashboard", "team/project"]) == 2
    assert "set WANDB_API_KEY" in capsys.readouterr().err
