"""Ray's waiting without Ray: calls that end at a set time, with a result or an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.exceptions import RayTaskError

from launch import cluster


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A reference to what a call gives."""

    result: Any
    """Raised, if it is an exception."""
    after_s: float = 0.0


def raised(cause: Exception) -> Exception:
    """As Ray hands on what a worker raised."""
    error = RayTaskError("call", "traceback", cause, proctitle="worker", pid=1, ip="127.0.0.2")
    return error.as_instanceof_cause()


class Clock:
    """Takes the place of ray.wait, ray.get and the time in launch.cluster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(ray, "wait", self._wait)
        monkeypatch.setattr(ray, "get", self._get)
        monkeypatch.setattr(cluster, "time", SimpleNamespace(monotonic=lambda: self.now))

    def _wait(
        self, refs: Sequence[Call], num_returns: int = 1, timeout: float = 0.0
    ) -> tuple[list[Call], list[Call]]:
        first = min(refs, key=lambda ref: ref.after_s)
        if first.after_s > self.now + timeout:
            self.now += timeout
            return [], list(refs)
        self.now = max(self.now, first.after_s)
        return [first], [ref for ref in refs if ref is not first]

    def _get(self, refs: Call | Sequence[Call], timeout: float | None = None) -> Any:
        if not isinstance(refs, Call):
            return [self._get(ref) for ref in refs]
        if isinstance(refs.result, Exception):
            raise refs.result
        return refs.result
