"""What a Kubernetes API server keeps: objects with versions, and who watches them."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from tests.kubernetes.crd import problems

Object = dict[str, Any]
Key = tuple[str, str, str]
"""Resource in the plural, namespace, name."""


class Refused(Exception):
    """An answer other than yes, as the API server words it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class Store:
    """Objects by key. Every change gets the next resource version and is told to the watchers."""

    def __init__(self) -> None:
        self._objects: dict[Key, Object] = {}
        self._version = 0
        self._events: list[tuple[int, str, str, Object]] = []
        self._changed = threading.Condition()

    def create(self, resource: str, namespace: str, body: Object) -> Object:
        key = (resource, namespace, body["metadata"]["name"])
        with self._changed:
            if key in self._objects:
                raise Refused(409, "AlreadyExists", f'{resource} "{key[2]}" already exists')
            made = copy.deepcopy(body)
            if resource == "rayjobs":
                made.pop("status", None)
                _validate(made)
            created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            made["metadata"] |= {
                "namespace": namespace,
                "uid": str(uuid.uuid4()),
                "creationTimestamp": created,
                "generation": 1,
            }
            return self._put("ADDED", key, made)

    def get(self, resource: str, namespace: str, name: str) -> Object:
        with self._changed:
            if (resource, namespace, name) not in self._objects:
                raise Refused(404, "NotFound", f'{resource} "{name}" not found')
            return copy.deepcopy(self._objects[resource, namespace, name])

    def find(self, resource: str, namespace: str, labels: str = "") -> list[Object]:
        """labels: a selector of equalities, such as a=1,b=2."""
        wanted = dict(each.split("=") for each in labels.split(",") if each)
        with self._changed:
            return [
                copy.deepcopy(found)
                for (kind, where, _), found in self._objects.items()
                if kind == resource
                and where == namespace
                and wanted.items() <= found["metadata"].get("labels", {}).items()
            ]

    def patch(
        self, resource: str, namespace: str, name: str, change: Object, *, status: bool = False
    ) -> Object:
        """A merge patch of everything but the status, or of the status alone."""
        with self._changed:
            old = self.get(resource, namespace, name)
            own = {"status"} if status else change.keys() - {"status"}
            new = merge(old, {key: value for key, value in change.items() if key in own})
            if resource == "rayjobs":
                _validate(new)
            if new["spec"] != old["spec"]:
                new["metadata"]["generation"] += 1
            return self._put("MODIFIED", (resource, namespace, name), new)

    def delete(self, resource: str, namespace: str, name: str) -> Object:
        with self._changed:
            gone = self.get(resource, namespace, name)
            self._put("DELETED", (resource, namespace, name), gone)
            del self._objects[resource, namespace, name]
            return gone

    def watch(
        self, resource: str, namespace: str, since: int, timeout_s: float
    ) -> Iterator[Object]:
        """Events after a resource version, as they come."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            with self._changed:
                new = [event for event in self._events if event[0] > since]
                if not new:
                    self._changed.wait(min(1.0, timeout_s))
            for version, kind, what, changed in new:
                since = version
                if what == resource and changed["metadata"]["namespace"] == namespace:
                    yield {"type": kind, "object": changed}

    @property
    def version(self) -> int:
        return self._version

    def _put(self, kind: str, key: Key, made: Object) -> Object:
        self._version += 1
        made["metadata"]["resourceVersion"] = str(self._version)
        self._objects[key] = made
        self._events.append((self._version, kind, key[0], copy.deepcopy(made)))
        self._changed.notify_all()
        return copy.deepcopy(made)


def merge(old: Any, change: Any) -> Any:
    """JSON merge patch (RFC 7386)."""
    if not isinstance(change, dict):
        return change
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _validate(job: Object) -> None:
    found = problems(job)
    if found:
        name = job["metadata"]["name"]
        raise Refused(422, "Invalid", f'RayJob.ray.io "{name}" is invalid: {"; ".join(found)}')
