"""A small API server over HTTP, enough for the real kubectl: discovery, objects, merge patches,
status, watches, logs and exec. Pods are processes of this machine, which the operator registers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.kubernetes.exec import exec_over_websocket
from tests.kubernetes.store import Refused, Store

_VERBS = ["create", "delete", "get", "list", "patch", "watch"]
_RESOURCES = {
    "v1": [("pods", "Pod"), ("pods/log", "Pod"), ("pods/exec", "PodExecOptions")],
    "ray.io/v1": [("rayjobs", "RayJob"), ("rayjobs/status", "RayJob")],
}
_KINDS = {"pods": ("v1", "PodList"), "rayjobs": ("ray.io/v1", "RayJobList")}


def discovery() -> dict[str, Any]:
    """Path -> what the server says about itself there."""

    def resources(group_version: str) -> dict[str, Any]:
        listed = [
            {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": _VERBS}
            for name, kind in _RESOURCES[group_version]
        ]
        return {"kind": "APIResourceList", "groupVersion": group_version, "resources": listed}

    version = {"groupVersion": "ray.io/v1", "version": "v1"}
    group = {"name": "ray.io", "versions": [version], "preferredVersion": version}
    # That kubectl asks for strict validation by the server depends on this parameter.
    patch = {
        "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
        "responses": {},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": "ray.io", "version": "v1", "kind": "RayJob"},
    }
    job = "/apis/ray.io/v1/namespaces/{namespace}/rayjobs/{name}"
    return {
        "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]},
        "/api/v1": resources("v1"),
        "/apis/ray.io/v1": resources("ray.io/v1"),
        "/openapi/v3": {
            "paths": {"apis/ray.io/v1": {"serverRelativeURL": "/openapi/v3/apis/ray.io/v1"}}
        },
        "/openapi/v3/apis/ray.io/v1": {
            "openapi": "3.0.0",
            "info": {"title": "fake", "version": "1"},
            "paths": {job: {"patch": patch}},
        },
    }


class Server(ThreadingHTTPServer):
    """On loopback, any port."""

    daemon_threads = True

    def __init__(self, store: Store) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = store
        self.discovery = discovery()
        self.logs: dict[tuple[str, str], tuple[Path, Callable[[], bool]]] = {}
        """(pod, container) -> the file with what it printed, and whether it has ended."""
        self.requests: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        self.server.requests.append(f"{self.command} {self.path}")

    def _answer(self) -> None:
        path = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        query = {key: values[-1] for key, values in parse_qs(path.query).items()}
        try:
            if path.path in self.server.discovery:
                self._json(200, self.server.discovery[path.path])
            else:
                self._object(path.path.strip("/").split("/"), query, body)
        except Refused as refused:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {}}
            reason = {"reason": refused.reason, "message": str(refused), "code": refused.code}
            self._json(refused.code, status | reason)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def _object(self, parts: list[str], query: dict[str, str], body: Any) -> None:
        """api/v1/namespaces/NS/pods/NAME/log and apis/ray.io/v1/namespaces/NS/rayjobs/NAME."""
        store = self.server.store
        match parts:
            case ["api" | "apis", *_, "namespaces", namespace, resource] if resource in _KINDS:
                if self.command == "POST":
                    self._json(201, store.create(resource, namespace, body))
                elif query.get("watch"):
                    self._watch(resource, namespace, query)
                else:
                    found = store.find(resource, namespace, query.get("labelSelector", ""))
                    version, kind = _KINDS[resource]
                    listed = {"kind": kind, "apiVersion": version, "items": found}
                    meta = {"metadata": {"resourceVersion": str(store.version)}}
                    self._json(200, listed | meta)
            case [*_, "namespaces", namespace, "pods", name, "log"]:
                store.get("pods", namespace, name)
                self._log(name, query)
            case [*_, "namespaces", namespace, "pods", name, "exec"]:
                store.get("pods", namespace, name)
                exec_over_websocket(self, parse_qs(urlsplit(self.path).query)["command"])
            case [*_, "namespaces", namespace, resource, name, "status"] if resource in _KINDS:
                self._json(200, store.patch(resource, namespace, name, body, status=True))
            case [*_, "namespaces", namespace, resource, name] if resource in _KINDS:
                if self.command == "DELETE":
                    self._json(200, store.delete(resource, namespace, name))
                elif self.command == "PATCH":
                    assert self.headers["Content-Type"] == "application/merge-patch+json"
                    self._json(200, store.patch(resource, namespace, name, body))
                else:
                    self._json(200, store.get(resource, namespace, name))
            case _:
                raise Refused(404, "NotFound", f"no such path: {self.path}")

    def _json(self, code: int, answer: Any) -> None:
        data = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, content_type: str, chunks: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _watch(self, resource: str, namespace: str, query: dict[str, str]) -> None:
        events = self.server.store.watch(
            resource,
            namespace,
            int(query.get("resourceVersion") or 0),
            float(query.get("timeoutSeconds", 60)),
        )
        self._stream("application/json", (json.dumps(each).encode() + b"\n" for each in events))

    def _log(self, pod: str, query: dict[str, str]) -> None:
        path, has_ended = self.server.logs[pod, query["container"]]
        self._stream("text/plain", _lines(path, has_ended if "follow" in query else lambda: True))


def _lines(path: Path, has_ended: Callable[[], bool]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while True:
            # Asked before reading, so that the last words are read too.
            over = has_ended()
            if chunk := file.read():
                yield chunk
            if over:
                return
            time.sleep(0.05)


@contextmanager
def api_server(folder: Path) -> Iterator[tuple[Server, Path]]:
    """A running server and a kubeconfig that leads to it."""
    server = Server(Store())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    context = {"cluster": "fake", "user": "fake", "namespace": "training"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": {"server": address}}],
        "users": [{"name": "fake", "user": {}}],
        "contexts": [{"name": "fake", "context": context}],
        "current-context": "fake",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    try:
        yield server, path
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
