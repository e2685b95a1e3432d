"""The flow's side of a callback: takes it, notes when it came, and answers "SUCCESS"."""

import asyncio
import socket
import time
from collections.abc import Iterable
from typing import Any, Final, cast

import orjson

from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import EXPECTED_OUTPUTS, plain_outputs
from benchmarks.http_messages import MessageReader
from benchmarks.local_server import LocalServer

_ANSWER: Final = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"SUCCESS"'
)
_REFUSAL: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class CallbackSink(LocalServer):
    """Runs as an async context manager on a bound socket, whose port is known beforehand."""

    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound
        self._pending: set[str] = set()
        self._complete = asyncio.Event()
        self.arrivals: dict[str, float] = {}
        """Token → when its first callback came, on the clock of time.perf_counter()."""
        self.started: dict[str, float] = {}
        """Token → when its process began, on the same clock, for those that say it (`Stamp`)."""
        self.received_bytes = 0
        """How much the callbacks' documents were."""
        self.connections: set[asyncio.Transport] = set()
        self.problems: list[str] = []
        """A sentence for each callback that should not have come, or not so."""

    @property
    def port(self) -> int:
        """Where callbacks go."""
        return int(self._socket.getsockname()[1])

    @property
    def missing(self) -> int:
        """How many expected callbacks have not come yet."""
        return len(self._pending)

    def expect(self, tokens: Iterable[str]) -> None:
        """Begin anew: exactly one callback for each token."""
        self._pending = set(tokens)
        self.arrivals, self.started = {}, {}
        self.received_bytes = 0
        self.problems = []
        self._complete.clear()

    async def wait_for_all(self) -> None:
        """Return once nothing is missing; the caller bounds the wait."""
        await self._complete.wait()

    def take(self, body: bytes) -> bytes:
        """Note one callback and return the HTTP answer to it."""
        arrived = time.perf_counter()
        try:
            document = orjson.loads(body)
            token = document["token"]
            if document["invokeType"] == "WAIT" and token in self._pending:
                return _ANSWER  # progress, on the way to what is expected
            outputs = plain_outputs(document["outputs"])
            started = outputs.pop("Started", None)
            problem = _problem(document, outputs)
        except (ValueError, LookupError, TypeError, AttributeError):
            self.problems.append("A callback was not a ServiceResponse.")
            return _REFUSAL
        if problem:
            self.problems.append(problem)
        if token in self._pending:
            self._pending.discard(token)
            self.arrivals[token] = arrived
            self.received_bytes += len(body)
            if started is not None:
                self.started[token] = float(started)
            if not self._pending:
                self._complete.set()
        elif token in self.arrivals:
            self.problems.append("A callback came twice.")
        else:
            self.problems.append("A callback came with a token that nobody waits for.")
        return _ANSWER

    async def __aexit__(self, *error: Any) -> None:
        await super().__aexit__(*error)
        for connection in self.connections:
            connection.close()
        await asyncio.sleep(0)  # a closed transport frees its socket in the next turn of the loop

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: _Connection(self), sock=self._socket)


class _Connection(asyncio.Protocol):
    """A connection of a callback worker, open until the client asks to close it."""

    def __init__(self, sink: CallbackSink) -> None:
        self._sink = sink
        self._reader = MessageReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sink.connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._sink.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        try:
            messages = self._reader.feed(data)
        except BenchmarkError as error:
            self._sink.problems.append(str(error))
            transport.close()
            return
        for message in messages:
            answer = self._sink.take(message.body)
            transport.write(answer)
            if message.closes or answer is _REFUSAL:
                transport.close()


def _problem(document: dict[str, Any], outputs: dict[str, Any]) -> str | None:
    """Why this is not the callback of a flow that went well."""
    if document["invokeType"] != "FORWARD":
        return f"A callback came with invokeType {document['invokeType']!r}, not FORWARD."
    if document.get("rootFaults") or document.get("valueFaults"):
        return f"A callback reported a fault: {document.get('rootFaults')!r}."
    if outputs != EXPECTED_OUTPUTS:
        return "A callback came with other outputs than expected."
    return None
