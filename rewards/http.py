"""Requests to a server that is named by a setting: a sandbox, a language model."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from configs.errors import UserError


@dataclass(frozen=True, slots=True)
class Server:
    """Where to post to: Server.at("http://10.0.0.5:8080/v1", "/chat/completions")."""

    https: bool
    host: str
    port: int | None
    path: str

    @classmethod
    def at(cls, url: str, path: str) -> Server:
        """Raises ValueError for a URL that is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(url)
        return cls(
            parts.scheme == "https", parts.hostname, parts.port, parts.path.rstrip("/") + path
        )

    def post(
        self, body: bytes, *, token: str, timeout_s: float, max_bytes: int
    ) -> tuple[int, bytes]:
        """(HTTP status, content up to max_bytes) for a body of JSON. token: empty for none.

        Raises OSError and http.client.HTTPException when there is no answer.
        """
        kind = http.client.HTTPSConnection if self.https else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=timeout_s)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request("POST", self.path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(max_bytes)
        finally:
            connection.close()


def read_token(path: str) -> str:
    """The token in a file, or "" for no path. Raises UserError."""
    if not path:
        return ""
    try:
        token = Path(path).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"token file {path}: cannot be read ({error})") from error
    if not token or not token.isascii() or not token.isprintable():
        raise UserError(f"token file {path}: needs one line of ASCII text")
    return token
