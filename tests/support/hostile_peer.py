"""An HTTP server that follows a script of sends and pauses instead of the protocol."""

import contextlib
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Script:
    """The bytes sent on one connection, and how.

    Each piece is one `send`. `pause` is a number of seconds before the late pieces, and
    `is_late_sent` is set after them. `resets` aborts the connection afterwards; `is_kept` leaves
    it open.
    """

    early: bytes = b""
    answer: list[bytes] = field(default_factory=list)
    late: list[bytes] = field(default_factory=list)
    pause: float = 0
    is_late_sent: threading.Event = field(default_factory=threading.Event)
    resets: bool = False
    is_kept: bool = True


class HostilePeer:
    """Runs `script(request_body, number)` for each request, on as many connections as come."""

    def __init__(self, script):
        self._script = script
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open = []
        self._requests = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.getsockname()[1]}/api/run/1/response"

    def close(self):
        """Stop listening and close every connection."""
        self._server.close()
        for connection in self._open:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            early = self._script(None, self._requests).early
            if early:
                connection.sendall(early)
            while (body := self._read(connection)) is not None:
                script = self._script(body, self._requests)
                self._requests += 1
                for piece in script.answer:
                    connection.sendall(piece)
                time.sleep(script.pause)
                for piece in script.late:
                    connection.sendall(piece)
                script.is_late_sent.set()
                if script.resets:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                if script.resets or not script.is_kept:
                    connection.close()
                    return

    @staticmethod
    def _read(connection):
        """Return the body of the next request, or None at the end of the connection."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return None
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        while len(body) < int(length[1] if length else 0):
            part = connection.recv(65536)
            if not part:
                return None
            body += part
        return body
