"""Quiet times: a flow now and then, whatever becomes of the one before (an open loop)."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from benchmarks.flow_requests import FlowRequest, flow_requests
from benchmarks.load import callbacks_of, check_answer, connect, percentile
from benchmarks.sink import CallbackSink

PER_SECOND: Final = 20
_WAIT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class QuietFigures:
    """From sending a request to its callback on the wire."""

    p50_ms: float
    p99_ms: float


async def quiet(flows: int, sink: CallbackSink, port: int) -> QuietFigures:
    """Send so many flows, 20 in a second.

    Raises:
        BenchmarkError: a request was not accepted, or its callback did not come as it should.
    """
    requests = flow_requests(flows, port, sink.port)
    sink.expect(request.token for request in requests)
    begin = time.perf_counter()
    tasks = [
        asyncio.create_task(_send_at(begin + number / PER_SECOND, request, port))
        for number, request in enumerate(requests)
    ]
    sent_at = await asyncio.gather(*tasks)
    await callbacks_of(flows, sink, _WAIT_SECONDS)
    took = [
        sink.arrivals[request.token] - at for request, at in zip(requests, sent_at, strict=True)
    ]
    return QuietFigures(percentile(took, 50) * 1000, percentile(took, 99) * 1000)


async def _send_at(moment: float, request: FlowRequest, port: int) -> float:
    """Send it then, on a connection of its own; when that was."""
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))
    connection = await connect(port)
    sent_at = time.perf_counter()
    try:
        check_answer(request, await connection.ask(request.content))
    finally:
        connection.close()
    return sent_at
