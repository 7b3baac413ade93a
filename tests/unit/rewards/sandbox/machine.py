"""What tests need to know about this machine and its processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from configs.rewards import SandboxSettings
from rewards.sandbox.inside.protocol import Tier
from rewards.sandbox.jail import find_interpreter
from rewards.sandbox.pool import SandboxPool

ROOT = Path(__file__).parents[4]
NOBODY = 65534


@cache
def missing(tier: Tier) -> str | None:
    """Why a tier does not work here; None when it does."""
    try:
        SandboxPool(SandboxSettings(tier=tier.value)).close()
    except UserError as error:
        return str(error)
    return None


def need(tier: Tier) -> Tier:
    """Skip the test with the reason when a tier does not work here."""
    reason = missing(tier)
    if reason is not None:
        pytest.skip(reason)
    return tier


def python_as(user: str) -> dict[str, Any]:
    """Arguments for subprocess.run so that Python runs as "root" or as an ordinary "user". The
    interpreter is the argument "executable". Skips the test when that cannot be done here."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
    }
    arguments: dict[str, Any] = {"cwd": ROOT, "env": environment, "executable": sys.executable}
    if user == "root":
        if os.getuid() != 0:
            pytest.skip("the tests do not run as root")
        return arguments
    if os.getuid() != 0:
        return arguments
    interpreter = find_interpreter().program
    question = [interpreter, "-c", "import pydantic; print(pydantic.VERSION)"]
    switch = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    answer = subprocess.run(
        question, capture_output=True, text=True, cwd=ROOT, env=environment, **switch
    )
    if answer.returncode != 0:
        pytest.skip(f"user {NOBODY} cannot run {interpreter} with this environment's packages")
    return {**arguments, **switch, "executable": interpreter}


def run_python(words: list[str], user: str, timeout_s: float = 300.0) -> Any:
    """Run Python as someone and return the JSON on the last line that it prints."""
    arguments = python_as(user)
    command = [arguments.pop("executable"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, **arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def processes() -> Iterator[tuple[int, int, str]]:
    """(id, parent's id, state) of all processes."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield int(folder.name), int(fields[1]), fields[0]


def descendants(ancestor: int) -> set[int]:
    """All processes below one, without zombies."""
    children: dict[int, list[int]] = {}
    for process, parent, state in processes():
        if state != "Z":
            children.setdefault(parent, []).append(process)
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting += below
    return found


def is_alive(process: int) -> bool:
    return any(each == process and state != "Z" for each, _, state in processes())
