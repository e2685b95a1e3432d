"""A TCP proxy before Redis that loses replies, holds commands back and refuses connections."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Wire:
    """The way to a Redis, which a test may disturb. Its `url` is that of the Redis by this way."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._server = socket.create_server(("127.0.0.1", 0))
        port = self._server.getsockname()[1]
        user, _, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
        self._lock = threading.Lock()
        self._mark, self._times, self._then_down = b"", 0, False
        self._flows = threading.Event()
        self._flows.set()
        self._is_down = False
        self.losses = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._flows.set()
        self._is_down = True
        self._server.close()

    def lose_reply_to(self, mark: bytes, times: int = 1, *, then_down: bool = False) -> None:
        """Drop the connection instead of the reply to the next commands with these bytes.

        After the last of them no new connection is taken, if `then_down`.
        """
        with self._lock:
            self._mark, self._times, self._then_down = mark, times, then_down

    def hold(self) -> None:
        """Keep all commands from now on, even if their sender is gone, until `let_flow`."""
        self._flows.clear()

    def let_flow(self) -> None:
        """Hand over what was kept."""
        self._flows.set()

    def go_down(self, *, is_down: bool = True) -> None:
        """Close every new connection at once."""
        self._is_down = is_down

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self._is_down:
                client.close()
                continue
            redis = socket.create_connection(self._target)
            cut = threading.Event()
            for run in (self._commands, self._replies):
                threading.Thread(target=run, args=(client, redis, cut), daemon=True).start()

    def _commands(self, client: socket.socket, redis: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                self._flows.wait()
                self._look_at(data, cut)
                redis.sendall(data)
        if not cut.is_set():
            _shut(redis)

    def _look_at(self, data: bytes, cut: threading.Event) -> None:
        with self._lock:
            if not self._times or self._mark not in data:
                return
            cut.set()
            self.losses += 1
            self._times -= 1
            if not self._times and self._then_down:
                self._is_down = True

    def _replies(self, client: socket.socket, redis: socket.socket, cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while (data := redis.recv(1 << 20)) and not cut.is_set():
                client.sendall(data)
        _shut(redis)
        _shut(client)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
