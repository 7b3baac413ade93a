"""kubectl exec: a command whose output goes back over a WebSocket (v5.channel.k8s.io)."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import subprocess
from http.server import BaseHTTPRequestHandler

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STDOUT, _STDERR, _ERROR = b"\x01", b"\x02", b"\x03"
_BINARY, _CLOSE = 0x82, 0x88


def exec_over_websocket(handler: BaseHTTPRequestHandler, command: list[str]) -> None:
    """Run the command on this machine and answer with its output and exit code."""
    key = handler.headers["Sec-WebSocket-Key"]
    accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    handler.send_response(101)
    handler.send_header("Upgrade", "websocket")
    handler.send_header("Connection", "Upgrade")
    handler.send_header("Sec-WebSocket-Accept", accept)
    handler.send_header("Sec-WebSocket-Protocol", "v5.channel.k8s.io")
    handler.end_headers()
    done = subprocess.run(command, capture_output=True, timeout=30)
    for channel, output in ((_STDOUT, done.stdout), (_STDERR, done.stderr)):
        if output:
            handler.wfile.write(_frame(_BINARY, channel + output))
    handler.wfile.write(_frame(_BINARY, _ERROR + json.dumps(_status(done.returncode)).encode()))
    handler.wfile.write(_frame(_CLOSE, struct.pack(">H", 1000)))
    handler.wfile.flush()
    handler.close_connection = True


def _status(code: int) -> dict[str, object]:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with exit code {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return struct.pack(">BB", opcode, size) + payload
    if size < 1 << 16:
        return struct.pack(">BBH", opcode, 126, size) + payload
    return struct.pack(">BBQ", opcode, 127, size) + payload
