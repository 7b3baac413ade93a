"""The remote sandbox against our own server, over the real pool."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from configs.errors import UserError
from configs.rewards import CodeSettings
from rewards.code import remote
from rewards.code.backend import open_sandbox
from rewards.code.judge import CodeJudge
from rewards.code.remote import RemoteSandbox
from rewards.code.server import MAX_BODY_BYTES, SandboxServer
from rewards.code.tasks import read_task
from rewards.http import read_token
from rewards.sandbox.jobs import Job, Limits, RunStatus, Sandbox
from tests.unit.rewards.code.abuse import ABUSE, TESTS
from tests.unit.rewards.code.test_programs import C_VERDICTS, PYTHON, SUM, needs_compilers

TOKEN = "sesame"


@pytest.fixture(scope="module")
def server(pool: Sandbox) -> Iterator[SandboxServer]:
    with SandboxServer(("127.0.0.1", 0), pool, TOKEN) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def far(server: SandboxServer) -> RemoteSandbox:
    return RemoteSandbox(server.url, token=TOKEN)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RETRIES_S", (0.01, 0.01))


def verdict(sandbox: Sandbox, **record: Any) -> str:
    settings = CodeSettings()
    return CodeJudge(sandbox, settings).check(read_task(record, settings)).verdict


@pytest.mark.parametrize(("wanted", "code"), PYTHON.items(), ids=PYTHON.keys())
def test_programs_get_the_same_verdicts(far: RemoteSandbox, wanted: str, code: str) -> None:
    assert verdict(far, code=code, tests=SUM, time_limit_s=1, memory_limit_mb=256) == wanted


@needs_compilers
@pytest.mark.parametrize("wanted", ["accepted", "compile_error", "runtime_error"])
def test_compiled_programs_get_the_same_verdicts(far: RemoteSandbox, wanted: str) -> None:
    assert verdict(far, code=C_VERDICTS[wanted], language="c", tests=SUM) == wanted


def test_calls_and_asserts_work_far_away(far: RemoteSandbox) -> None:
    code = "def f(x): return (7 * x + 3) % 101, '\u00e9'"
    loop = "for x in range(9):\n    assert f(x) == ((7 * x + 3) % 101, '\u00e9')"
    assert verdict(far, code=code, tests=["assert f(1) == (10, '\u00e9')"]) == "accepted"
    assert verdict(far, code=code, tests=[loop]) == "accepted"
    assert verdict(far, code=code, tests=["assert f(1) == [10, '\u00e9']"]) == "wrong_answer"
    forged = ABUSE["forged complete set and exit"]
    assert verdict(far, code=forged, entry_point="f", tests=TESTS) == "wrong_answer"


def test_files_and_bytes_arrive(far: RemoteSandbox) -> None:
    source = "import sys\nprint(open('in/a').read() + input())\nsys.exit(3)"
    result = far.run(Job(source, stdin="\u00fc".encode(), files={"in/a": b"file "}))
    assert (result.status, result.exit_code) == (RunStatus.FINISHED, 3)
    assert result.stdout.decode() == "file \u00fc\n"


def test_output_is_cut_at_the_job_s_own_limit(far: RemoteSandbox) -> None:
    result = far.run(Job("print('x' * 1000)", limits=Limits(output_bytes=10)))
    assert (result.status, result.stdout) == (RunStatus.OUTPUT_LIMIT, b"x" * 10)


def test_settings_choose_the_backend(server: SandboxServer, tmp_path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    settings = CodeSettings(backend="remote", url=server.url, token_file=str(path))
    with open_sandbox(settings) as sandbox:
        assert sandbox.run(Job("print(1)")).stdout == b"1\n"
    with (
        pytest.raises(UserError, match=r"reward\.code\.url"),
        open_sandbox(CodeSettings(backend="remote")),
    ):
        pass
    for url in ("localhost:80", "ftp://a", "http://", "http://a:x"):
        with pytest.raises(UserError, match=r"reward\.code\.url"):
            RemoteSandbox(url)
    with pytest.raises(UserError, match="cannot be read"):
        read_token(str(tmp_path / "none"))
    path.write_text("\n")
    with pytest.raises(UserError, match="one line"):
        read_token(str(path))


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x"])
def test_a_wrong_token_is_refused(server: SandboxServer, token: str) -> None:
    with pytest.raises(UserError, match="bearer token"):
        RemoteSandbox(server.url, token=token).run(Job("print(1)"))


def ask(server: SandboxServer, body: bytes, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        sent = {"Authorization": f"Bearer {TOKEN}", **headers}
        connection.request("POST", "/run_code", body, sent)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_the_answer_has_sandbox_fusion_s_form(server: SandboxServer) -> None:
    request = {"code": "print(input())", "language": "python", "stdin": "hi"}
    status, answer = ask(server, json.dumps(request).encode())
    assert status == 200
    seconds = answer["run_result"].pop("execution_time")
    assert 0 < seconds < 5
    assert answer == {
        "status": "Success",
        "message": "",
        "compile_result": None,
        "run_result": {"status": "Finished", "return_code": 0, "stdout": "hi\n", "stderr": ""},
        "executor_pod_name": None,
        "files": {},
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": None}, "code"),
        ({"language": "cobol"}, "language=cobol"),
        ({"stdin": 3}, "stdin"),
        ({"run_timeout": 0}, "run_timeout"),
        ({"run_timeout": 1e9}, "run_timeout"),
        ({"memory_limit_MB": 0}, "memory_limit_MB"),
        ({"files": {"../a": ""}}, "files"),
        ({"files": {"a": "!"}}, "files.a"),
        ({"files": []}, None),
        ({"files": [1]}, "files"),
        ({"fetch_files": ["a"]}, "fetch_files"),
        ({"stdin": "\ud800"}, "stdin"),
    ],
)
def test_a_bad_request_names_its_field(
    server: SandboxServer, change: dict[str, Any], field: str | None
) -> None:
    request = {"code": "print(1)", "language": "python", **change}
    status, answer = ask(server, json.dumps(request).encode())
    if field is None:
        assert status == 200
    else:
        assert (status, answer["detail"].startswith(field)) == (422, True)


def test_what_is_no_request_is_refused(server: SandboxServer) -> None:
    assert ask(server, b"[" * 100_000)[0] == 422
    assert ask(server, b"[]")[0] == 422
    assert ask(server, b"{}", **{"Content-Length": str(MAX_BODY_BYTES + 1)})[0] == 413
    assert ask(server, b"{}", **{"Content-Length": "-1"})[0] == 411
    assert ask(server, b"{}", Authorization="Basic x")[0] == 401
    # The server is none the worse for it.
    assert ask(server, json.dumps({"code": "", "language": "python"}).encode())[0] == 200


def test_a_port_in_use_is_one_line(server: SandboxServer, pool: Sandbox) -> None:
    with pytest.raises(UserError, match=r"--host 127\.0\.0\.1 --port \d+: Address already in use"):
        SandboxServer(("127.0.0.1", server.server_port), pool)


def test_a_server_out_of_reach_is_a_sandbox_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        far = RemoteSandbox(f"http://127.0.0.1:{taken.getsockname()[1]}")
        result = far.run(Job("print(1)"))
    assert result.status is RunStatus.SANDBOX_ERROR
    assert "refused" in result.detail
    assert verdict(far, code="print(1)", tests=SUM) == "sandbox_error"


class Scripted(BaseHTTPRequestHandler):
    """Answers with what the server has been given, in turn."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.server.script.pop(0)  # pyright: ignore
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[Any]:
    with HTTPServer(("127.0.0.1", 0), Scripted) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def run_with(scripted: Any, *script: tuple[int, Any]):
    scripted.script = list(script)
    result = RemoteSandbox(f"http://127.0.0.1:{scripted.server_port}").run(Job("print(1)"))
    assert not scripted.script
    return result


def answer(status: str = "Success", **changes: Any) -> dict[str, Any]:
    run = {
        "status": "Finished",
        "execution_time": 0.5,
        "return_code": 0,
        "stdout": "1\n",
        "stderr": "",
    }
    whole = {
        "status": status,
        "message": "",
        "compile_result": None,
        "run_result": run,
        "files": {},
    }
    run.update({key: value for key, value in changes.items() if key in run and key != "status"})
    run["status"] = changes.get("run_status", "Finished")
    whole.update({key: value for key, value in changes.items() if key in whole})
    return whole


def test_a_busy_server_is_asked_again(scripted: Any) -> None:
    result = run_with(scripted, (504, b""), (503, b""), (200, answer()))
    assert (result.status, result.stdout, result.seconds) == (RunStatus.FINISHED, b"1\n", 0.5)
    assert run_with(scripted, (504, b"a"), (504, b"b"), (504, b"c")).detail.endswith("HTTP 504: c")


def test_a_refusal_is_the_user_s(scripted: Any) -> None:
    with pytest.raises(UserError, match="HTTP 422"):
        run_with(scripted, (422, {"detail": "language"}))


COMPILED = {"status": "Finished", "execution_time": 1.0, "return_code": 0, "stderr": "warning"}


@pytest.mark.parametrize(
    ("document", "status", "exit_code"),
    [
        (answer("Failed", return_code=1), RunStatus.FINISHED, 1),
        (answer(compile_result=COMPILED), RunStatus.FINISHED, 0),
        (
            answer("Failed", compile_result={**COMPILED, "return_code": 1}, run_result=None),
            RunStatus.COMPILE_ERROR,
            1,
        ),
        (
            answer("Failed", compile_result={"status": "TimeLimitExceeded"}, run_result=None),
            RunStatus.COMPILE_ERROR,
            None,
        ),
        (
            answer("Failed", run_status="TimeLimitExceeded", return_code=None),
            RunStatus.TIME_LIMIT,
            None,
        ),
        (answer("Failed", message="memory_limit", return_code=-9), RunStatus.MEMORY_LIMIT, -9),
        (answer("Failed", message="something"), RunStatus.FINISHED, 0),
        (answer("SandboxError", message="boom"), RunStatus.SANDBOX_ERROR, None),
        (answer("Failed", run_status="Error"), RunStatus.SANDBOX_ERROR, None),
        (answer(return_code=None), RunStatus.SANDBOX_ERROR, None),
        (answer(run_result=None), RunStatus.SANDBOX_ERROR, None),
        ({}, RunStatus.SANDBOX_ERROR, None),
        ([], RunStatus.SANDBOX_ERROR, None),
        (b"<html>", RunStatus.SANDBOX_ERROR, None),
    ],
)
def test_answers_of_sandbox_fusion(
    scripted: Any, document: Any, status: RunStatus, exit_code: int | None
) -> None:
    result = run_with(scripted, (200, document))
    assert (result.status, result.exit_code) == (status, exit_code)
