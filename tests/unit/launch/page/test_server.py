"""`launch view` over HTTP: what it serves, and to whom."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from configs.errors import UserError
from launch.page.selection import LIVE_TEXT_CHARACTERS
from launch.page.server import ViewServer, make_server
from tests.run_folders import RIGHT, group, make_run, sample

LONG = "x" * (LIVE_TEXT_CHARACTERS + 1000)


@contextmanager
def serving(run: Path, host: str = "127.0.0.1") -> Iterator[ViewServer]:
    with make_server(run, host, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def get(
    server: ViewServer, path: str, headers: dict[str, str] | None = None
) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.msg


def get_json(server: ViewServer, path: str) -> Any:
    status, text, _ = get(server, path)
    assert status == 200, text
    return json.loads(text)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    groups = [group("a", [sample(RIGHT), sample(LONG)]), group("b", [sample(RIGHT)] * 2)]
    return make_run(tmp_path / "run", journal={1: groups})


def test_page_run_and_rollouts(run: Path) -> None:
    with serving(run) as server:
        status, page, headers = get(server, "/")
        assert status == 200 and '{"live":true}' in page
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["X-Content-Type-Options"] == "nosniff"
        news = get_json(server, "/api/run")
        assert [entry["id"] for entry in news["run"]["snapshots"]] == ["1"]
        short = get_json(server, "/api/rollouts/1")[0]["completions"][1]
        assert short["cut"] == 1000 and len(short["text"]) < len(LONG)
        whole = get_json(server, "/api/rollouts/1/0")["completions"][1]
        assert (whole["text"], whole["cut"]) == (LONG, 0)


def test_new_steps_appear_and_nothing_is_sent_twice(run: Path) -> None:
    with serving(run) as server:
        first = get_json(server, "/api/run")["version"]
        assert get_json(server, f"/api/run?unless={first}") == {
            "version": first,
            "stalled": None,
        }
        with (run / "metrics.jsonl").open("a") as file:
            file.write('{"step": 2, "reward/accuracy/mean": 0.75}\n')
        news = get_json(server, f"/api/run?unless={first}")
        assert news["version"] != first
        assert news["run"]["metrics"]["reward/accuracy/mean"] == [0.5, 0.75]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/rollouts/9",
        "/api/rollouts/../../config.yaml",
        "/api/rollouts/%2e%2e/config.yaml",
        "/api/rollouts/1/7",
        "/api/rollouts/1/-1",
        "/api/rollouts/1/²",
        "/api/rollouts/1/0/0",
        "/config.yaml",
    ],
)
def test_nothing_else_is_served(run: Path, path: str) -> None:
    with serving(run) as server:
        assert get(server, path.replace("²", "%C2%B2"))[0] == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:80", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("attacker.example", 403),
        ("127.0.0.1.attacker.example:80", 403),
        ("", 403),
    ],
)
def test_loopback_answers_to_its_own_name_only(run: Path, host: str, status: int) -> None:
    with serving(run) as server:
        assert get(server, "/api/run", {"Host": host})[0] == status
        assert server.token is None and server.url == f"http://127.0.0.1:{server.port}/"


def test_any_other_address_asks_for_the_token(run: Path, capfd: pytest.CaptureFixture) -> None:
    with serving(run, "0.0.0.0") as server:
        assert server.token is not None and len(server.token) >= 32
        for path in ("/", "/api/run", "/api/rollouts/1", "/?token=", "/?token=%C3%A9", "/nothing"):
            status, text, _ = get(server, path)
            assert status == 403 and "accuracy" not in text
        assert get(server, "/", {"Cookie": f"{server.cookie}=wrong"})[0] == 403

        query = urlsplit(server.url).query
        status, _, headers = get(server, f"/?{query}")
        assert (status, headers["Location"]) == (303, "/")
        cookie, *flags = headers["Set-Cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Strict"} <= set(flags)
        status, page, _ = get(server, "/", {"Cookie": cookie})
        assert status == 200 and server.token not in page
        assert server.token not in get(server, "/api/run", {"Cookie": cookie})[1]
    # Only view() prints the address: neither requests nor refusals leave the token anywhere.
    assert capfd.readouterr() == ("", "")


def test_two_views_have_two_tokens_and_two_cookies(run: Path) -> None:
    with serving(run, "0.0.0.0") as one, serving(run, "0.0.0.0") as other:
        assert one.token != other.token and one.cookie != other.cookie


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 99999)])
def test_an_address_that_cannot_be_had_is_a_user_error(run: Path, host: str, port: int) -> None:
    with pytest.raises(UserError, match=rf"--host {host} --port {port}: cannot listen there"):
        make_server(run, host, port)


def test_a_taken_port_is_a_user_error(run: Path) -> None:
    with serving(run) as server, pytest.raises(UserError, match="--port 0 takes any free port"):
        make_server(run, "127.0.0.1", server.port)


def test_rollouts_that_the_run_deleted_are_gone(run: Path, monkeypatch) -> None:
    with serving(run) as server:
        snapshots = server.rollouts.snapshots()
        (path,) = snapshots[0].files
        monkeypatch.setattr(server.rollouts, "snapshots", lambda: snapshots)
        path.unlink()
        status, text, _ = get(server, "/api/rollouts/1")
        assert status == 404 and "just deleted" in text


def test_only_reading_is_possible(run: Path) -> None:
    with serving(run) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", "/api/run", body="x")
        assert connection.getresponse().status == 501
