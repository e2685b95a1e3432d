"""The load generator: a closed loop of connections in one process, cheaper than what it measures.

A latency runs from the moment a client is ready to send until the whole answer has come. It
includes connecting where the listener closed the connection after its last answer, because the
caller pays for that too.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final, cast

import orjson

from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import FlowRequest
from benchmarks.http_messages import Message, MessageReader
from benchmarks.sink import CallbackSink

# For a callback that comes twice to be seen; not part of any figure.
_SETTLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """What the caller of a stack saw."""

    accept_p50_ms: float
    accept_p99_ms: float
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
        accept_p50_ms=percentile(load.latencies, 50) * 1000,
        accept_p99_ms=percentile(load.latencies, 99) * 1000,
        accepted_per_second=len(requests) / (load.last_answer_at - begin),
        flows_per_second=len(requests) / (max(sink.arrivals.values()) - begin),
    )


async def accept_flows(requests: Sequence[FlowRequest], port: int, *, concurrency: int) -> "Load":
    """Send every request; returns when each has its answer.

    Raises:
        BenchmarkError: a request was not accepted, or not in time.
    """
    load = Load(iter(requests), port)
    clients = min(concurrency, len(requests))
    await _all_accepted(load, clients, len(requests), time_limit_seconds(len(requests)))
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


def percentile(values: Sequence[float], percent: int) -> float:
    """The percentile of one value or more."""
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _check_callbacks(sink: CallbackSink) -> None:
    if sink.problems:
        more = len(sink.problems) - 1
        raise BenchmarkError(sink.problems[0] + (f" ({more} more problems.)" if more else ""))


async def _all_accepted(load: "Load", clients: int, flows: int, limit: float) -> None:
    tasks = [asyncio.create_task(load.client()) for _ in range(clients)]
    try:
        done, pending = await asyncio.wait(
            tasks, timeout=limit, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            task.result()
        if pending:
            raise BenchmarkError(
                f"Only {len(load.latencies)} of {flows} requests were accepted in {limit:.0f} s."
            )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Load:
    """What the clients of one run share: the requests still to send, and what was noted."""

    def __init__(self, requests: Iterator[FlowRequest], port: int) -> None:
        self._requests = requests
        self._port = port
        self.latencies: list[float] = []
        self.last_answer_at = 0.0

    async def client(self) -> None:
        """Send one request after the other until none is left."""
        connection: _Connection | None = None
        try:
            for request in self._requests:
                begin = time.perf_counter()
                if connection is None or connection.closed:
                    connection = await connect(self._port)
                answer = await connection.ask(request.content)
                self.last_answer_at = time.perf_counter()
                self.latencies.append(self.last_answer_at - begin)
                check_answer(request, answer)
                if answer.closes:
                    connection.close()
        finally:
            if connection is not None:
                connection.close()


async def connect(port: int) -> "_Connection":
    """Connect to the listener; raises BenchmarkError where it does not listen."""
    loop = asyncio.get_running_loop()
    try:
        _, protocol = await loop.create_connection(lambda: _Connection(loop), "127.0.0.1", port)
    except OSError as error:
        raise BenchmarkError(f"The listener does not take connections: {error}.") from error
    return protocol


def check_answer(request: FlowRequest, answer: Message) -> None:
    """Refuse what is not a WAIT for the request; raises BenchmarkError."""
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
