"""How Ray says that a process which was called is gone."""

from __future__ import annotations

from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ActorUnschedulableError,
    WorkerCrashedError,
)

DEATHS = (ActorDiedError, ActorUnavailableError, ActorUnschedulableError, WorkerCrashedError)
