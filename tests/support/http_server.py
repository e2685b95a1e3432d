"""The HTTP server in a thread, with an application and limits of the test, and raw clients."""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from atom.server import Limits, ThreadServer

QUICK = Limits(threads=4, head_seconds=0.5, body_seconds=0.5, idle_seconds=0.5)
PATIENT = Limits(threads=4, head_seconds=60, body_seconds=60, idle_seconds=60)


@contextlib.contextmanager
def serving(
    app: Any, limits: Limits = PATIENT, tls: ssl.SSLContext | None = None
) -> Iterator["Served"]:
    """Serve an application on a free port for as long as the block lasts."""
    server = Served(app, socket.create_server(("127.0.0.1", 0), backlog=256), limits, tls=tls)
    try:
        yield server
    finally:
        server.close()


class Served(ThreadServer):
    """A running server, and connections to it."""

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


@dataclass
class Reply:
    """One answer, as it came over the socket."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        found = re.search(rb"^%s: *(.*?)\r$" % re.escape(name.encode()), self.head, re.I | re.M)
        return found[1].decode() if found else None


def read_reply(sock: socket.socket, rest: bytearray | None = None) -> Reply | None:
    """Read one answer with a Content-Length; None where the connection ends instead."""
    buffer = bytearray() if rest is None else rest
    while b"\r\n\r\n" not in buffer:
        if not _more(sock, buffer):
            return None
    head, _, _ = bytes(buffer).partition(b"\r\n\r\n")
    del buffer[: len(head) + 4]
    reply = Reply(int(head.split()[1]), head + b"\r\n", b"")
    size = int(reply.header("Content-Length") or 0)
    while len(buffer) < size:
        assert _more(sock, buffer), "the answer was cut off"
    reply.body = bytes(buffer[:size])
    del buffer[:size]
    return reply


def is_closed(sock: socket.socket, seconds: float = 30) -> bool:
    """Return whether the server ends a connection within this time."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def _more(sock: socket.socket, buffer: bytearray) -> bool:
    try:
        data = sock.recv(65536)
    except ConnectionError:
        data = b""
    buffer += data
    return bool(data)
