"""Programs that try to reach the network or sockets of others."""

from __future__ import annotations

from tests.unit.rewards.sandbox.escapes.escape import Escape

NETWORK = [
    Escape(
        "tcp", "tries(lambda: socket.create_connection(('127.0.0.1', W['port']), 1))", control=True
    ),
    Escape(
        "tcp6", "tries(lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))", control=True
    ),
    Escape(
        "udp",
        """
tries(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)))
""",
        control=True,
    ),
    Escape("serve", "tries(lambda: socket.create_server(('127.0.0.1', 0)))", control=True),
    Escape(
        "names", "tries(lambda: socket.getaddrinfo('localhost', 80, type=socket.SOCK_RAW) and 1/0)"
    ),
    Escape(
        "abstract_socket",
        """
tries(lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + W["abstract"]))
""",
        control=True,
    ),
    Escape(
        "abstract_datagram",
        """
first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
tries(lambda: first.sendto(b"x", chr(0) + W["abstract"] + "-datagram"))
""",
    ),
    Escape(
        "stream_with_address",
        """
first, second = socket.socketpair()
tries(lambda: first.sendto(b"x", chr(0) + W["abstract"] + "-datagram"),
      lambda: first.connect(chr(0) + W["abstract"]), lambda: first.bind(chr(0) + W["name"]),
      lambda: first.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, bytes(4))]))
""",
    ),
    Escape(
        "socket_file",
        """
tries(lambda: socket.socket(socket.AF_UNIX).connect(W["folder"] + "/socket"))
""",
        control=True,
    ),
    Escape(
        "netlink",
        "tries(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))",
        control=True,
    ),
    Escape("raw_packets", "tries(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))"),
    Escape("vsock", "tries(lambda: socket.socket(40, socket.SOCK_STREAM))"),
    Escape(
        "ring",
        """
tries(lambda: syscall(425, 425, 1, ctypes.create_string_buffer(256)))
""",
    ),
]
