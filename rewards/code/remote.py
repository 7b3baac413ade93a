"""A sandbox on another machine, behind SandboxFusion's /run_code interface.

Only programs and their input travel; what they printed is compared here, by the same code as for
the local sandbox. Our own server says a little more than SandboxFusion's: see `server.py`.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import threading
import time
from typing import Any

from configs.errors import UserError
from rewards.http import Server
from rewards.sandbox.jobs import Job, RunResult, RunStatus

COMPILE_TIMEOUT_S = 30.0
EXTRA_TIMEOUT_S = 10.0
"""How much longer than the program the server may take to answer."""
RETRIES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits before the tries after the first, each up to half as long again."""
BUSY = (429, 502, 503, 504)
MAX_RESPONSE_BYTES = 256 << 20

TOLD_LIMITS = (RunStatus.MEMORY_LIMIT, RunStatus.OUTPUT_LIMIT)
"""What our own server says in `message`; SandboxFusion's cannot tell them from other failures."""


class RemoteSandbox:
    """Runs jobs on a server. Thread-safe; `connections` at a time."""

    def __init__(self, url: str, *, token: str = "", connections: int = 16) -> None:
        """Raises UserError for a URL that is none."""
        try:
            self._server = Server.at(url, "/run_code")
        except ValueError as error:
            raise UserError(
                f"reward.code.url: {url!r}; give http://HOST:PORT or https://HOST"
            ) from error
        self._address = url
        self._token = token
        self._free = threading.BoundedSemaphore(connections)

    def run(self, job: Job) -> RunResult:
        """The run's result; SANDBOX_ERROR when the server stays out of reach or fails. Raises
        UserError when the server refuses the job or the token."""
        body = json.dumps(_request(job)).encode()
        timeout_s = COMPILE_TIMEOUT_S + job.limits.time_s + EXTRA_TIMEOUT_S
        problem = ""
        with self._free:
            for wait_s in (0.0, *RETRIES_S):
                time.sleep(wait_s * random.uniform(1.0, 1.5))
                try:
                    status, text = self._server.post(
                        body,
                        token=self._token,
                        timeout_s=timeout_s,
                        max_bytes=MAX_RESPONSE_BYTES,
                    )
                except (OSError, http.client.HTTPException) as error:
                    problem = f"{type(error).__name__}: {error}"
                    continue
                if status == 200:
                    return _result(text, job)
                problem = f"HTTP {status}: {text[:200].decode(errors='replace')}"
                if status not in BUSY:
                    break
        if problem.startswith("HTTP 4"):
            raise UserError(f"reward.code.url: {self._address} refused a job: {problem}")
        return _failed(f"{self._address}: {problem}")


def _request(job: Job) -> dict[str, Any]:
    return {
        "code": job.source,
        "language": job.language,
        "stdin": job.stdin.decode(),
        "compile_timeout": COMPILE_TIMEOUT_S,
        "run_timeout": job.limits.time_s,
        "memory_limit_MB": job.limits.memory_mib,
        "files": {path: base64.b64encode(data).decode() for path, data in job.files.items()},
        "fetch_files": [],
    }


def _failed(detail: str) -> RunResult:
    return RunResult(RunStatus.SANDBOX_ERROR, None, b"", b"", 0.0, detail)


def _result(text: bytes, job: Job) -> RunResult:
    try:
        answer: dict[str, Any] = json.loads(text)
        if answer["status"] == "SandboxError":
            return _failed(f"the server's sandbox failed: {str(answer.get('message'))[:200]}")
        return _read_answer(answer, job)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return _failed(f"not a /run_code answer: {type(error).__name__}: {error}")


def _read_answer(answer: dict[str, Any], job: Job) -> RunResult:
    compiled: Any = answer.get("compile_result")
    ran: Any = answer.get("run_result")
    if compiled is not None and (compiled["status"] != "Finished" or compiled["return_code"] != 0):
        text = _bytes(compiled, "stderr") or _bytes(compiled, "stdout")
        detail = "" if compiled["status"] == "Finished" else f"compiler: {compiled['status']}"
        return RunResult(
            RunStatus.COMPILE_ERROR, compiled.get("return_code"), b"", text, 0.0, detail
        )
    status, exit_code = RunStatus.FINISHED, ran.get("return_code")
    if ran["status"] == "TimeLimitExceeded":
        status = RunStatus.TIME_LIMIT
    elif ran["status"] != "Finished":
        return _failed(f"the server could not run the program: {_bytes(ran, 'stderr')[:200]!r}")
    elif answer["status"] == "Failed" and answer.get("message") in TOLD_LIMITS:
        status = RunStatus(answer["message"])
    elif type(exit_code) is not int:
        raise ValueError("no return_code")
    stdout, stderr = _bytes(ran, "stdout"), _bytes(ran, "stderr")
    if len(stdout) > job.limits.output_bytes:
        status, stdout = RunStatus.OUTPUT_LIMIT, stdout[: job.limits.output_bytes]
    seconds = float(ran.get("execution_time") or 0.0)
    detail = "" if status is RunStatus.FINISHED else f"{status} on the server"
    return RunResult(status, exit_code, stdout, stderr, seconds, detail)


def _bytes(result: Any, name: str) -> bytes:
    return (result.get(name) or "").encode(errors="surrogatepass")
