"""The HTTP client, against real sockets."""

import gzip
import itertools
import os
import socket
import threading
import tracemalloc

import pytest

from atom.flow.addresses import CallbackPolicy
from atom.flow.transport import Transport, TransportError
from tests.support.tls import reply

LARGEST_CALLBACK_REPLY = 16 * 1024


@pytest.fixture
def answering():
    """Start a server that gives each connection one canned answer; None closes without one."""
    servers = []

    def start(answer: bytes | None) -> tuple[str, list[bytes]]:
        seen: list[bytes] = []
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    seen.append(connection.recv(65536))
                    if answer is not None:
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/x", seen

    yield start
    for server in servers:
        server.close()
