"""`launch sandbox serve`."""

from __future__ import annotations

import ipaddress
import signal
import sys
from typing import Any

from pydantic import ValidationError

from configs.errors import UserError
from configs.rewards import SandboxSettings
from rewards.code.server import SandboxServer
from rewards.http import read_token
from rewards.sandbox.pool import SandboxPool


def serve(host: str, port: int, settings: dict[str, Any], token_file: str) -> int:
    """Serve until Ctrl-C or SIGTERM, then end all workers and return 0."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port}: must be between 0 and 65535")
    try:
        sandbox_settings = SandboxSettings.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--{first['loc'][0]} {first['input']}: {first['msg']}") from error
    token = read_token(token_file)
    with (
        SandboxPool(sandbox_settings) as pool,
        SandboxServer((host, port), pool, token) as server,
    ):
        if not token and not _is_loopback(host):
            print(
                "warning: anyone who reaches this address can run programs here; "
                "--token-file sets a token",
                file=sys.stderr,
            )
        workers = f"{sandbox_settings.workers} workers"
        print(f"sandbox ({pool.tier}, {workers}) at {server.url}; Ctrl-C ends it", flush=True)
        try:
            signal.signal(signal.SIGTERM, _interrupt)
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped", flush=True)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
