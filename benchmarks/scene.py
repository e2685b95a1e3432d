"""A stack, the flows it is sent and the callbacks it owes: what nearly every part is played on."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import flow_requests
from benchmarks.load import (
    Load,
    LoadFigures,
    accept_at_intervals,
    callbacks_of,
    send_flows,
    time_limit_seconds,
)
from benchmarks.sink import CallbackSink
from benchmarks.stacks import Launch, Ports, Stack, running

_T = TypeVar("_T")

QUIET_PER_SECOND: Final = 20
_WARM_UP_FLOWS: Final = 100
_WATCH_SECONDS: Final = 0.5


class Scene:
    """A running stack and the sink of its callbacks."""

    def __init__(self, stack: Stack, sink: CallbackSink) -> None:
        self.stack, self.sink = stack, sink
        self.port = stack.ports.listener

    async def warm(self, concurrency: int) -> None:
        """About a hundred flows, the first of which shows that the whole way works."""
        for flows in (1, _WARM_UP_FLOWS):
            await self.send(flows, concurrency)

    async def quiet(self, flows: int, action: str = "Echo") -> Load:
        """Send 20 a second, whatever has been answered, and wait for their callbacks.

        Raises:
            BenchmarkError: as `send`.
        """
        requests = flow_requests(flows, self.port, self.sink.port, action)
        self.sink.expect(request.token for request in requests)
        load = await accept_at_intervals(requests, self.port, seconds=1 / QUIET_PER_SECOND)
        await callbacks_of(flows, self.sink, time_limit_seconds(flows))
        return load

    async def send(self, flows: int, concurrency: int) -> LoadFigures:
        """Send so many flows and wait for their callbacks.

        Raises:
            BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
        """
        requests = flow_requests(flows, self.port, self.sink.port)
        return await send_flows(requests, self.sink, self.port, concurrency=concurrency)


def on_scene(
    name: str,
    play: Callable[[Scene], Coroutine[Any, Any, _T]],
    launch: Callable[[str, Ports], Launch] | None = None,
) -> _T:
    """Start a stack (see `running`), play on it, stop it.

    Raises:
        BenchmarkError: it did not start, or ended on its own, or what the play raised.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as bound,
        running(name, bound.getsockname()[1], launch) as stack,
    ):
        return asyncio.run(_watched(stack, _play(stack, bound, play)))


async def _play(
    stack: Stack, bound: socket.socket, play: Callable[[Scene], Coroutine[Any, Any, _T]]
) -> _T:
    async with CallbackSink(bound) as sink:
        return await play(Scene(stack, sink))


async def _watched(stack: Stack, work: Coroutine[Any, Any, _T]) -> _T:
    """Give up as soon as a process of the stack has ended, rather than at the time limit."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=_WATCH_SECONDS))[0]:
            stack.check_alive()
        stack.check_alive()
        return task.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, BenchmarkError):
            await task
