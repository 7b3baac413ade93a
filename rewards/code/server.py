"""Our sandbox as a server with SandboxFusion's /run_code interface.

    POST /run_code   {"code", "language", "stdin", "compile_timeout", "run_timeout",
                      "memory_limit_MB", "files": {path: base64}, "fetch_files": []}
    GET  /v1/ping    "pong"

The answer is SandboxFusion's, with one addition: "message" is "memory_limit" or "output_limit"
where the program ran into these. compile_timeout is read and has no effect: the sandbox limits
compilers itself. Files cannot be fetched.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import math
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from configs.errors import UserError
from rewards.sandbox.jobs import Job, Limits, RunResult, RunStatus, Sandbox

MAX_BODY_BYTES = 64 << 20
IDLE_TIMEOUT_S = 120.0
"""A connection on which nothing arrives for so long is closed."""
MAX_RUN_TIMEOUT_S = 600.0
MEMORY_MIB = 1024
"""Where a request says -1 or nothing."""
OUTPUT_BYTES = 16 << 20


class BadRequest(Exception):
    """A request that cannot be served; the message names the field."""


class SandboxServer(ThreadingHTTPServer):
    """Serves a sandbox until shutdown(). The sandbox stays the caller's."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], sandbox: Sandbox, token: str = "") -> None:
        """Raises UserError for an address that cannot be had. Port 0: any free one."""
        self.sandbox = sandbox
        self.token = token
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            host, port = address
            raise UserError(
                f"--host {host} --port {port}: {error.strerror}; choose another address"
            ) from error

    @property
    def url(self) -> str:
        """Where it can be reached from this machine."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S

    def do_GET(self) -> None:
        if self.path == "/v1/ping":
            self._answer(HTTPStatus.OK, "pong")
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "no such page; POST to /run_code"})

    def do_POST(self) -> None:
        # A body that is not read would be taken for the next request.
        self.close_connection = True
        if self.path != "/run_code":
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "no such page; POST to /run_code"})
            return
        given = self.headers.get("Authorization", "").encode()
        wanted = f"Bearer {self.server.token}".encode()
        if self.server.token and not hmac.compare_digest(given, wanted):
            self._answer(HTTPStatus.UNAUTHORIZED, {"detail": "a bearer token is needed"})
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._answer(HTTPStatus.LENGTH_REQUIRED, {"detail": "Content-Length is needed"})
            return
        if len(length) > 12 or int(length) > MAX_BODY_BYTES:
            detail = f"more than {MAX_BODY_BYTES} bytes"
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"detail": detail})
            return
        body = self.rfile.read(int(length))
        self.close_connection = False
        try:
            answer = response(self.server.sandbox.run(read_job(body)))
        except (BadRequest, UserError) as error:
            self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, {"detail": str(error)})
            return
        self._answer(HTTPStatus.OK, answer)

    def _answer(self, status: HTTPStatus, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: a run sends thousands of requests."""


def read_job(body: bytes) -> Job:
    """The job in a request. Raises BadRequest."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"not JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadRequest("not a JSON object")
    request = cast("dict[str, Any]", request)
    if request.get("fetch_files"):
        raise BadRequest("fetch_files: not supported; leave it empty")
    stdin = _text(request, "stdin", "")
    try:
        octets = stdin.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("stdin: not valid Unicode") from error
    return Job(
        source=_text(request, "code"),
        language=_text(request, "language"),
        stdin=octets,
        limits=_limits(request),
        files=_files(request.get("files") or {}),
    )


def _limits(request: dict[str, Any]) -> Limits:
    time_s = request.get("run_timeout", 10)
    if type(time_s) not in (int, float) or not 0 < time_s <= MAX_RUN_TIMEOUT_S:
        raise BadRequest(f"run_timeout: {time_s!r}; up to {MAX_RUN_TIMEOUT_S:g} seconds")
    memory = request.get("memory_limit_MB", -1)
    if type(memory) not in (int, float) or not (memory == -1 or 1 <= memory < math.inf):
        raise BadRequest(f"memory_limit_MB: {memory!r}; a positive number, or -1")
    return Limits(float(time_s), MEMORY_MIB if memory == -1 else int(memory), OUTPUT_BYTES)


def _files(files: Any) -> dict[str, bytes]:
    if not isinstance(files, dict):
        raise BadRequest("files: an object of paths and base64 texts is needed")
    contents: dict[str, bytes] = {}
    for path, text in cast("dict[str, Any]", files).items():
        try:
            contents[path] = base64.b64decode(text or "", validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise BadRequest(f"files.{path[:80]}: not base64") from error
    return contents


def _text(request: dict[str, Any], name: str, default: str | None = None) -> str:
    value = request.get(name)
    value = default if value is None else value
    if not isinstance(value, str):
        raise BadRequest(f"{name}: missing or not a text")
    return value


def response(result: RunResult) -> dict[str, Any]:
    """A result in SandboxFusion's form: Success where everything returned 0."""
    status = result.status
    if status is RunStatus.SANDBOX_ERROR:
        return _answer("SandboxError", result.detail, None, None)
    if status is RunStatus.COMPILE_ERROR:
        return _answer("Failed", "", _command(result, result.exit_code or 1), None)
    told = status in (RunStatus.MEMORY_LIMIT, RunStatus.OUTPUT_LIMIT)
    if status is RunStatus.FINISHED:
        exit_code = result.exit_code
        return _answer(
            "Success" if exit_code == 0 else "Failed", "", None, _command(result, exit_code)
        )
    return _answer("Failed", str(status) if told else "", None, _command(result, None))


def _answer(
    status: str, message: str, compiled: dict[str, Any] | None, ran: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "status": status,
        "message": message,
        "compile_result": compiled,
        "run_result": ran,
        "executor_pod_name": None,
        "files": {},
    }


def _command(result: RunResult, return_code: int | None) -> dict[str, Any]:
    late = result.status is RunStatus.TIME_LIMIT
    return {
        "status": "TimeLimitExceeded" if late else "Finished",
        "execution_time": result.seconds,
        "return_code": return_code,
        "stdout": result.stdout.decode(errors="replace"),
        "stderr": result.stderr.decode(errors="replace"),
    }
