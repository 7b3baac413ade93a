"""The Ray cluster of one run, and waits that name who is late."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from configs.errors import UserError

logger = logging.getLogger(__name__)


JOIN = "R1_FOUNDRY_RAY"
"""Environment variable by which a backend tells a driver that Ray is there already: its address."""

DEATH_KNOWN_S = 10.0
"""Within this time of a process's death, Ray knows of it."""


class WorkerLost(RuntimeError):
    """A process of the run died or did not answer. Nothing is lost: the same command continues."""


def protect_ray(run_folder: Path) -> None:
    """Give this run's Ray a token of its own, in the run folder.

    A token that an earlier `ray.init` left in the home folder would make processes refuse each
    other. Ray reads these variables when it is imported.
    """
    assert "ray" not in sys.modules, "Ray was imported before its token was set"
    if JOIN not in os.environ:  # else a Ray is there, and its token in the environment
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(ray_token(run_folder))
    # Nothing leaves this machine, and the usage report would try to.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    end_tidily_when_terminated()


def ray_token(run_folder: Path) -> Path:
    """The file with the run's token, made once."""
    path = run_folder / "ray_token"
    if not path.exists():
        # Whole or not at all: an empty one would stay, and lock everybody out.
        aside = path.with_name(".ray_token.tmp")
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_hex(32))
        aside.replace(path)
    return path


def end_tidily_when_terminated() -> None:
    """Let SIGTERM do what Ctrl-C does, so that no process of the run stays behind. Ray puts a
    handler of its own in place when it starts."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def start_ray(num_workers: int) -> None:
    """Join the Ray that a backend has started around this driver; without one, start a local Ray on
    loopback with one logical CPU per worker."""
    import ray

    if address := os.environ.get(JOIN):
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    else:
        ray.init(
            address="local",
            num_cpus=num_workers,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            # Loopback; Ray would turn 127.0.0.1 into an address that others can reach.
            _node_ip_address="127.0.0.2",
        )
    end_tidily_when_terminated()


def ray_nodes(wanted: int, timeout_s: float) -> list[str]:
    """Ids of the nodes that take actors: the driver's own first, if it does, the others in the
    order of their addresses.

    Raises WorkerLost when they are not all there within timeout_s.
    """
    import ray

    deadline = time.monotonic() + timeout_s
    while True:
        nodes = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
        if len(nodes) >= wanted:
            break
        if time.monotonic() > deadline:
            there = ", ".join(node["NodeManagerHostname"] for node in nodes) or "none"
            raise WorkerLost(f"start: {wanted} nodes wanted, after {timeout_s:.0f} s only: {there}")
        time.sleep(0.5)
    here = this_node()
    nodes.sort(key=lambda node: (node["NodeID"] != here, node["NodeManagerAddress"]))
    return [node["NodeID"] for node in nodes[:wanted]]


def this_node() -> str:
    """Id of the driver's node."""
    import ray

    return ray.get_runtime_context().get_node_id()


def free_port(host: str, wanted: int = 0) -> int:
    """A port that can be bound on host; `wanted` itself unless it is 0.

    Raises UserError when the wanted one is in use.
    """
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise UserError(
                f"cluster.rendezvous_port={wanted}: cannot be used on {host} ({error.strerror}); "
                "choose another port, or 0 for any free one"
            ) from error
        return probe.getsockname()[1]


def stop_ray() -> None:
    """End the cluster and every actor in it."""
    import ray

    ray.shutdown()


def wait_all(
    refs: Sequence[Any], *, what: str, names: Sequence[str], timeout_s: float
) -> list[Any]:
    """Results of one call per worker, in order.

    Raises WorkerLost naming the workers that died or have not answered within timeout_s, and what
    a worker raised as it was raised there, unless another one's death explains it.
    """
    import ray
    from ray.exceptions import RayTaskError

    from launch.deaths import DEATHS

    name_of = dict(zip(refs, names, strict=True))
    pending = list(refs)
    # One at a time as they finish, so that one worker's failure is seen while others wait for it
    # inside a collective.
    while pending:
        done, pending = ray.wait(pending, num_returns=1, timeout=timeout_s)
        if not done:
            late = ", ".join(name_of[ref] for ref in pending)
            raise WorkerLost(f"{what}: no answer from {late} within {timeout_s:.0f} s")
        failed, failure = done[0], _failure(done[0])
        if isinstance(failure, RayTaskError) and not isinstance(failure.cause, UserError):
            # A death breaks the collectives of others, who may say so before Ray knows of it.
            failed, failure = _first_death(pending) or (failed, failure)
        if isinstance(failure, DEATHS):
            logger.error("%s died: %s", name_of[failed], failure)
            raise WorkerLost(f"{what}: {name_of[failed]} died") from failure
        if isinstance(failure, RayTaskError):
            raise failure.cause from failure
    return ray.get(list(refs))


def _first_death(refs: Sequence[Any]) -> tuple[Any, Exception] | None:
    """The first of these calls whose worker turns out to be dead within DEATH_KNOWN_S."""
    import ray

    from launch.deaths import DEATHS

    pending, deadline = list(refs), time.monotonic() + DEATH_KNOWN_S
    while pending:
        left_s = max(0.0, deadline - time.monotonic())
        done, pending = ray.wait(pending, num_returns=1, timeout=left_s)
        if not done:
            break
        failure = _failure(done[0])
        if isinstance(failure, DEATHS):
            return done[0], failure
    return None


def _failure(ref: Any) -> Exception | None:
    """How a call that has ended failed; None if it did not."""
    import ray
    from ray.exceptions import RayTaskError

    from launch.deaths import DEATHS

    try:
        ray.get(ref)
    except (*DEATHS, RayTaskError) as error:
        return error
    return None
