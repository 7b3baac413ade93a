"""One pool for all tests of this folder: the real sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from configs.rewards import CodeSettings, SandboxSettings
from rewards.code.backend import open_sandbox
from rewards.code.judge import CodeJudge
from rewards.code.tasks import read_task
from rewards.code.verdicts import CodeVerdict
from rewards.sandbox.jobs import Sandbox

SETTINGS = CodeSettings(sandbox=SandboxSettings(workers=1))

Judge = Callable[..., CodeVerdict]


@pytest.fixture(scope="session")
def pool() -> Iterator[Sandbox]:
    with open_sandbox(SETTINGS) as sandbox:
        yield sandbox


@pytest.fixture
def judge(pool: Sandbox) -> Judge:
    """judge(code=..., tests=..., ...) -> the verdict with default settings."""
    checker = CodeJudge(pool, SETTINGS)

    def check(**record: Any) -> CodeVerdict:
        return checker.check(read_task(record, SETTINGS))

    return check
