"""Runs all hostile programs against one tier and prints what came of each, as JSON.

A program of its own, so that it can be run as any user: python -m ...attack TIER [control]
With "control", only those that must get through where there is no jail.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.rewards import SandboxSettings
from rewards.sandbox.jobs import Job, Limits
from rewards.sandbox.pool import SandboxPool
from tests.unit.rewards.sandbox.escapes import ESCAPES
from tests.unit.rewards.sandbox.escapes.escape import PRELUDE, TIME, Escape

WORD = "word-that-nobody-may-see"
NEXT = "import os, json; print(sum(map(int, input().split())), sorted(os.listdir('.')))"
WORKERS = 2


@dataclass(frozen=True)
class World:
    """What the programs aim at."""

    folder: Path
    secret: Path
    victim: subprocess.Popen[bytes]
    name: str
    port: int

    def facts(self) -> dict[str, Any]:
        """What a program is told."""
        return {
            "folder": str(self.folder),
            "secret": str(self.secret),
            "victim": self.victim.pid,
            "owner": os.getpid(),
            "name": self.name,
            "abstract": self.name,
            "port": self.port,
            "word": WORD,
        }

    def harm(self) -> list[str]:
        """What has changed since the beginning."""
        found = []
        if not self.secret.exists() or not os.access(self.secret, os.R_OK):
            found.append("the secret file is gone")
        elif self.secret.read_text() != WORD:
            found.append("the secret file has changed")
        elif self.secret.stat().st_mode & 0o777 != 0o666 or self.secret.stat().st_mtime < 1000:
            found.append("the secret file's mode or time has changed")
        if sorted(os.listdir(self.folder)) != ["secret", "socket"]:
            found.append(f"the folder holds {os.listdir(self.folder)}")
        if self.victim.poll() is not None:
            found.append("the victim has ended")
        elif os.getpriority(os.PRIO_PROCESS, self.victim.pid) != os.getpriority(os.PRIO_PROCESS, 0):
            found.append("the victim's priority has changed")
        places = ("/dev/shm", "/var/tmp", "/run/lock", "/dev", "/usr/lib", "/tmp", "/")
        found += [place for place in places if os.path.exists(f"{place}/{self.name}")]
        return found


def make_world() -> World:
    """Everything that a program could reach for belongs to the user it runs as."""
    os.environ["SECRET"] = WORD
    user = 65534 if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="world-"))
    folder.chmod(0o777)
    secret = folder / "secret"
    secret.write_text(WORD)
    secret.chmod(0o666)
    if user is not None:
        os.chown(secret, user, user)
    name = f"left-by-{folder.name}"
    tcp = socket.create_server(("127.0.0.1", 0))
    listeners = [tcp]
    for address in ("\0" + name, str(folder / "socket")):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen(100)
        listeners.append(listener)
    (folder / "socket").chmod(0o777)
    datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagram.bind("\0" + name + "-datagram")
    KEPT.extend([*listeners, datagram])
    victim = subprocess.Popen(["sleep", "600"], user=user, cwd="/")
    return World(folder, secret, victim, name, tcp.getsockname()[1])


KEPT: list[socket.socket] = []
"""Open until the end."""


def attack(pool: SandboxPool, world: World, escape: Escape) -> dict[str, Any]:
    """Run one program, and an ordinary one after it."""
    seconds = {TIME: 0.3, None: 1.5}.get(escape.status, 5.0)
    limits = Limits(time_s=seconds, memory_mib=256)
    stdin = json.dumps(world.facts()).encode()
    result = pool.run(Job(PRELUDE + escape.code, stdin=stdin, limits=limits))
    following = pool.run(Job(NEXT, stdin=b"20 22"))
    return {
        "name": escape.name,
        "status": result.status,
        "exit_code": result.exit_code,
        "escaped": b"ESCAPED" in result.stdout + result.stderr,
        "output": (result.stdout[-300:] + result.stderr[-300:]).decode(errors="replace"),
        "detail": result.detail,
        "seconds": result.seconds,
        "harm": world.harm(),
        "next": following.stdout.decode(errors="replace"),
    }


def main() -> None:
    tier = sys.argv[1]
    escapes = [each for each in ESCAPES if each.control or "control" not in sys.argv]
    results: list[dict[str, Any]] = []
    worlds: list[World] = []

    def work(own: list[Escape]) -> None:
        world = make_world()
        worlds.append(world)
        # One server for each pool, so that the next job is the next of the same server.
        with SandboxPool(SandboxSettings.model_validate({"workers": 1, "tier": tier})) as pool:
            for escape in own:
                results.append(attack(pool, world, escape))
                world.secret.chmod(0o666)

    try:
        with ThreadPoolExecutor(WORKERS) as executor:
            list(executor.map(work, [escapes[i::WORKERS] for i in range(WORKERS)]))
    finally:
        for world in worlds:
            world.victim.kill()
            world.victim.wait()
            subprocess.run(["rm", "-rf", str(world.folder)], check=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
