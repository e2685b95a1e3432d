"""What processes wait for: a server that takes its time, and counts who is waiting."""

import asyncio

from benchmarks.errors import BenchmarkError
from benchmarks.http_messages import MessageReader
from benchmarks.local_server import LocalServer

_ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class SlowServer(LocalServer):
    """Answers each request after so many seconds; an async context manager."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """How long the requests that come now have to wait."""
        self.waiting = 0
        """How many wait at this moment."""
        self.most_waiting = 0
        """How many waited at once, at most."""

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        if self._server is None:
            raise BenchmarkError("The slow server has not been started.")
        return int(self._server.sockets[0].getsockname()[1])

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=4096)


class _Connection(asyncio.Protocol):
    """One connection, for one request."""

    def __init__(self, server: SlowServer) -> None:
        self._server = server
        self._transport: asyncio.BaseTransport | None = None
        self._reader = MessageReader(default_length=0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._reader.feed(data):
            self._server.waiting += 1
            self._server.most_waiting = max(self._server.most_waiting, self._server.waiting)
            asyncio.get_running_loop().call_later(self._server.seconds, self._answer)

    def _answer(self) -> None:
        self._server.waiting -= 1
        if isinstance(self._transport, asyncio.Transport):
            self._transport.write(_ANSWER)
            self._transport.close()
