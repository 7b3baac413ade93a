"""`launch view`: the page about a run over HTTP, live while it trains. Reads only.

    /                              the page
    /api/run[?unless=VERSION]      everything but rollouts; without "run" when nothing changed.
                                   "stalled": null, or that no step ends any more
    /api/rollouts/SNAPSHOT         the groups of a step or an evaluation, long texts shortened
    /api/rollouts/SNAPSHOT/INDEX   one group with its whole texts

On loopback anyone on this machine may look, but no web page may: the Host header has to name this
server, which a page of another name that resolves to 127.0.0.1 cannot make a browser say. On any
other address a token is needed; the printed URL carries it once, then a cookie does.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
import socket
import time
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from configs.errors import UserError
from launch.alarms import silence
from launch.page.document import document, plain_json
from launch.page.rollouts import Snapshot
from launch.page.selection import LIVE_TEXT_CHARACTERS, shortened
from launch.page.summary import open_rollouts, summarise
from launch.report import check_run_folder

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
WATCHED = ("config.yaml", "metrics.jsonl", "status.json", "run.json")
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def view(run_folder: Path, host: str, port: int) -> int:
    """Serve until interrupted. Prints the URL.

    Raises UserError when the folder is not a run or the address cannot be listened on.
    """
    with make_server(run_folder, host, port) as server:
        print(server.url, flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped; the run goes on")
    return 0


def make_server(run_folder: Path, host: str, port: int) -> ViewServer:
    """A server that listens already; serve_forever() answers."""
    check_run_folder(run_folder)
    if (run_folder / "stages").is_dir():
        raise UserError(
            f"{run_folder}: a pipeline; its page is {run_folder / 'report.html'}; to watch a stage "
            f"name its folder, such as {run_folder / 'stages' / 'zero'}"
        )
    try:
        # Beyond this, getaddrinfo starts again at 0.
        if not 0 <= port <= 65535:
            raise OverflowError("a port is between 0 and 65535")
        family, address = _resolved(host, port)
        server_class = type("Server", (ViewServer,), {"address_family": family})
        return server_class(run_folder, host, address)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"--host {host} --port {port}: cannot listen there ({error}); "
            "--port 0 takes any free port"
        ) from error


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return family, (str(address[0]), int(address[1]))


class ViewServer(ThreadingHTTPServer):
    """One run, one address, and a token unless the address is loopback."""

    daemon_threads = True

    def __init__(self, run_folder: Path, host: str, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)
        self.run_folder = run_folder
        self.rollouts = open_rollouts(run_folder)
        self.port = self.server_address[1]
        local = ipaddress.ip_address(address[0]).is_loopback
        self.token = None if local else secrets.token_urlsafe(24)
        shown = socket.gethostname() if address[0] in ("0.0.0.0", "::") else host
        shown = f"[{shown}]" if ":" in shown else shown
        query = f"/?token={self.token}" if self.token else "/"
        self.url = f"http://{shown}:{self.port}{query}"

    @property
    def cookie(self) -> str:
        """Cookies do not tell ports apart; two views of one machine must not mix theirs."""
        return f"launch_view_{self.port}"

    def version(self, snapshots: list[Snapshot]) -> str:
        """Changes with everything that the page shows."""
        paths = [self.run_folder / name for name in WATCHED]
        marks = [str(path.stat().st_mtime_ns) for path in paths if path.exists()]
        return _short_hash(" ".join(marks + [entry.stamp() for entry in snapshots]))


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: ViewServer
    server_version = "launch-view"
    sys_version = ""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if not self._host_is_ours():
            return self._answer(403, "text/plain", "This server answers to its own name only.")
        if not self._has_token(query):
            return self._answer(
                403, "text/plain", "Open the address with the token that launch view printed."
            )
        if "token" in query:
            return self._keep_token(query["token"])
        try:
            self._route(url.path.strip("/").split("/"), query)
        except FileNotFoundError:
            # The run deletes rollouts that no checkpoint needs any more.
            self._answer(404, "text/plain", "The run has just deleted these rollouts.")

    def _route(self, parts: list[str], query: dict[str, str]) -> None:
        match parts:
            case [""]:
                page = document(self.server.run_folder.name, {"live": True}, live=True)
                self._answer(200, "text/html", page)
            case ["api", "run"]:
                self._answer_json(self._run(query.get("unless", "")))
            case ["api", "rollouts", name, *index]:
                self._send_rollouts(name, index)
            case _:
                self._answer(404, "text/plain", "There is no such page.")

    def _run(self, known: str) -> dict[str, Any]:
        snapshots = self.server.rollouts.snapshots()
        version = self.server.version(snapshots)
        answer = {"version": version, "stalled": self._stalled()}
        if version == known:
            return answer
        run = summarise(self.server.run_folder, snapshots)
        for entry, snapshot in zip(run["snapshots"], snapshots, strict=True):
            entry["stamp"] = _short_hash(snapshot.stamp())
        return {**answer, "run": run}

    def _stalled(self) -> str | None:
        path = self.server.run_folder / "status.json"
        alarm = silence(json.loads(path.read_text()), time.time()) if path.exists() else None
        return alarm and alarm.text

    def _send_rollouts(self, name: str, index: list[str]) -> None:
        snapshot = next((s for s in self.server.rollouts.snapshots() if s.id == name), None)
        groups = self.server.rollouts.groups(snapshot) if snapshot else []
        match index:
            case [] if snapshot:
                self._answer_json([shortened(group, LIVE_TEXT_CHARACTERS) for group in groups])
            case [number] if number.isascii() and number.isdigit() and int(number) < len(groups):
                whole = max(len(e["text"]) for e in groups[int(number)]["completions"])
                prompt = len(groups[int(number)]["prompt"])
                self._answer_json(shortened(groups[int(number)], 10 * max(whole, prompt) + 10))
            case _:
                self._answer(404, "text/plain", "There are no such rollouts.")

    def _host_is_ours(self) -> bool:
        """With a token, whoever knows it may use any name of this machine."""
        name = urlsplit("//" + self.headers.get("Host", "")).hostname
        return self.server.token is not None or name in LOOPBACK_NAMES

    def _has_token(self, query: dict[str, str]) -> bool:
        if self.server.token is None:
            return True
        return _same(query.get("token", ""), self.server.token) or _same(
            self._cookie_value(), self.server.token
        )

    def _cookie_value(self) -> str:
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return ""
        return cookies[self.server.cookie].value if self.server.cookie in cookies else ""

    def _keep_token(self, token: str) -> None:
        """Move the token from the address, which gets copied and kept, into a cookie."""
        self.send_response(303)
        self.send_header("Location", "/")
        if self.server.token is not None:
            self.send_header(
                "Set-Cookie", f"{self.server.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
            )
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer_json(self, data: Any) -> None:
        self._answer(200, "application/json", plain_json(data))

    def _answer(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the request line may hold the token."""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())
