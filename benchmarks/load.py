"""The load generator: one process, cheaper than what it measures.

A closed loop of connections sends the next request when the last is answered; an open loop sends
one at each tick of a clock, whatever has been answered.

A latency runs from the moment a client is ready to send until the whole answer has come. It
includes connecting where the listener closed the connection after its last answer, because the
caller pays for that too.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final, Self, cast

import orjson

from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import FlowRequest
from benchmarks.http_messages import Message, MessageReader
from benchmarks.sink import CallbackSink

# For a callback that comes twice to be seen; not part of any figure.
_SETTLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Latency:
    """The middle, and what one in a hundred exceeds."""

    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """That of so many, of which there is at least one."""
        if len(seconds) == 1:
            return cls(seconds[0] * 1000, seconds[0] * 1000)
        cuts = quantiles(seconds, n=100, method="inclusive")
        return cls(cuts[49] * 1000, cuts[98] * 1000)


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """What the caller of a stack saw."""

    accept: Latency
    accepted_per_second: float
    flows_per_second: float


def time_limit_seconds(flows: int) -> float:
    """How long so many flows may take before a run is given up: far longer than they should."""
    return 60 + 0.1 * flows


async def send_flows(
    requests: Sequence[FlowRequest], sink: CallbackSink, port: int, *, concurrency: int
) -> LoadFigures:
    """Send every request, wait for every callback.

    Raises:
        BenchmarkError: a request was not accepted, or its callback did not come exactly once, in
            time and as it should be.
    """
    sink.expect(request.token for request in requests)
    limit = time_limit_seconds(len(requests))
    begin = time.perf_counter()
    load = await accept_flows(requests, port, concurrency=concurrency)
    await callbacks_of(len(requests), sink, limit - (time.perf_counter() - begin))
    return LoadFigures(
        accept=load.latency(),
        accepted_per_second=load.per_second(),
        flows_per_second=len(requests) / (max(sink.arrivals.values()) - begin),
    )


async def accept_flows(requests: Sequence[FlowRequest], port: int, *, concurrency: int) -> "Load":
    """Send every request; returns when each has its answer.

    Raises:
        BenchmarkError: a request was not accepted, or not in time.
    """
    load = Load(port)
    left = iter(requests)
    clients = [load.client(left) for _ in range(min(concurrency, len(requests)))]
    await _all_accepted(load, clients, len(requests))
    return load


async def accept_at_intervals(
    requests: Sequence[FlowRequest], port: int, *, seconds: float
) -> "Load":
    """Send one request each so many seconds; returns when each has its answer.

    Raises:
        BenchmarkError: a request was not accepted, or not in time.
    """
    load = Load(port)
    begin = time.perf_counter()
    clients = [
        load.send_at(begin + number * seconds, request) for number, request in enumerate(requests)
    ]
    await _all_accepted(load, clients, len(requests))
    return load


async def callbacks_of(flows: int, sink: CallbackSink, seconds: float) -> None:
    """Wait until every callback that the sink expects has come.

    Raises:
        BenchmarkError: one did not come exactly once, in so many seconds and as it should be.
    """
    try:
        async with asyncio.timeout(max(1.0, seconds)):
            await sink.wait_for_all()
    except TimeoutError:
        _check_callbacks(sink)
        raise BenchmarkError(
            f"{sink.missing} of {flows} callbacks had not come in time ({seconds:.0f} s)."
        ) from None
    await asyncio.sleep(_SETTLE_SECONDS)
    _check_callbacks(sink)


def _check_callbacks(sink: CallbackSink) -> None:
    if sink.problems:
        more = len(sink.problems) - 1
        raise BenchmarkError(sink.problems[0] + (f" ({more} more problems.)" if more else ""))


async def _all_accepted(
    load: "Load", clients: Sequence[Coroutine[Any, Any, None]], flows: int
) -> None:
    tasks = [asyncio.create_task(client) for client in clients]
    limit = time_limit_seconds(flows)
    try:
        done, pending = await asyncio.wait(
            tasks, timeout=limit, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            task.result()
        if pending:
            raise BenchmarkError(
                f"Only {len(load.answered)} of {flows} requests were accepted in {limit:.0f} s."
            )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        load.close()


class Load:
    """The connections of one run, and when each request went and was answered.

    Times are those of time.perf_counter(), which is one clock for all processes of a machine.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []
        self.sent: dict[str, float] = {}
        """Token → when somebody was ready to send that request."""
        self.answered: dict[str, float] = {}
        """Token → when its whole answer was there."""

    def latency(self) -> Latency:
        """From sent to answered."""
        return Latency.of([at - self.sent[token] for token, at in self.answered.items()])

    def per_second(self) -> float:
        """Requests / time until the last answer."""
        return len(self.answered) / (max(self.answered.values()) - min(self.sent.values()))

    async def client(self, requests: Iterator[FlowRequest]) -> None:
        """Send one request after the other until none is left, and close the connection then."""
        connection: _Connection | None = None
        try:
            for request in requests:
                connection = await self._send(request, connection)
        finally:
            if connection is not None:
                connection.close()

    async def send_at(self, moment: float, request: FlowRequest) -> None:
        """Send a request at that time, over a connection that is idle where there is one."""
        await asyncio.sleep(moment - time.perf_counter())
        connection = await self._send(request, self._idle.pop() if self._idle else None)
        self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.close()

    async def _send(self, request: FlowRequest, connection: "_Connection | None") -> "_Connection":
        """Send a request over that connection where it is open, else a new one, and return it."""
        self.sent[request.token] = time.perf_counter()
        if connection is None or connection.closed:
            connection = await _connect(self._port)
        try:
            answer = await connection.ask(request.content)
            self.answered[request.token] = time.perf_counter()
            check_answer(request, answer)
        except BaseException:
            connection.close()
            raise
        if answer.closes:
            connection.close()
        return connection


async def _connect(port: int) -> "_Connection":
    loop = asyncio.get_running_loop()
    try:
        _, protocol = await loop.create_connection(lambda: _Connection(loop), "127.0.0.1", port)
    except OSError as error:
        raise BenchmarkError(f"The listener does not take connections: {error}.") from error
    return protocol


def check_answer(request: FlowRequest, answer: Message) -> None:
    """Accept nothing but WAIT.

    Raises:
        BenchmarkError: it is something else.
    """
    status = answer.head.split(b" ", 2)[1].decode(errors="replace")
    if status != "200":
        shown = answer.body[:200].decode(errors="replace")
        raise BenchmarkError(f"The listener answered {status} instead of 200: {shown}")
    try:
        document = orjson.loads(answer.body)
        accepted = document["invokeType"] == "WAIT" and document["token"] == request.token
    except (ValueError, LookupError, TypeError):
        accepted = False
    if not accepted:
        raise BenchmarkError("The listener answered 200, but not WAIT with the request's token.")


class _Connection(asyncio.Protocol):
    """One connection to the listener, with one request on it at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = MessageReader()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Message] | None = None
        self.closed = False

    async def ask(self, request: bytes) -> Message:
        """Send a request and return its answer."""
        if self._transport is None:
            raise BenchmarkError("There is no connection to send on.")
        self._answer = self._loop.create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Do not use it again."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except BenchmarkError as error:
            self._fail(error)
            return
        if messages and self._answer is not None and not self._answer.done():
            self._answer.set_result(messages[0])

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._fail(BenchmarkError("The listener closed a connection instead of answering."))

    def _fail(self, error: BenchmarkError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
