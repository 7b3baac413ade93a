"""The sandbox that the settings ask for."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from configs.errors import UserError
from configs.rewards import CodeSettings
from rewards.code.remote import RemoteSandbox
from rewards.http import read_token
from rewards.sandbox.jobs import Sandbox
from rewards.sandbox.pool import SandboxPool


@contextmanager
def open_sandbox(settings: CodeSettings) -> Generator[Sandbox]:
    """This machine's pool, ended on leaving, or a remote server. Raises UserError."""
    if settings.backend == "local":
        with SandboxPool(settings.sandbox) as pool:
            yield pool
        return
    if not settings.url:
        raise UserError("reward.code.url: missing; backend=remote needs the server's http://...")
    token = read_token(settings.token_file)
    yield RemoteSandbox(settings.url, token=token, connections=settings.connections)
