"""What one process of each role carries, one role at a time, and what it asks of Redis."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.scale.stage import Stage, stage
from benchmarks.stacks import REDIS

_WARM_UP: Final = 100
# The start of a role is not what it carries: the clock begins when it has done so much.
_SKIPPED: Final = 0.1
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class RoleFigures:
    """One role, while it had as much to do as it could take."""

    per_second: float
    cpu_ms: float | None
    """Its processor time for each execution; a core carries 1000 divided by that."""
    store_cpu_ms: float | None
    """What the Redis of the store used for each execution meanwhile."""
    broker_cpu_ms: float | None
    """What that of the broker did, which is the same server unless one says otherwise."""


@dataclass(frozen=True, slots=True)
class CapacityFigures:
    """Executions of 1.3 KB that do nothing."""

    listener: RoleFigures
    worker: RoleFigures
    callbacks: RoleFigures
    redis_bytes_waiting: float
    """What store and broker hold for each execution that has been accepted and not begun."""
    redis_bytes_finished: float
    """What they hold for each that has ended, its history."""
    network_bytes: float
    """What goes into and out of Redis for each execution, from its accept to its callback."""


@dataclass(frozen=True, slots=True)
class _Clocks:
    done: int
    wall: float
    cpu: Sequence[float | None]
    """Of the role, of the store and of the broker."""


def _read(on: Stage, role: str, done: int) -> _Clocks:
    stack = on.stack
    cpu = (stack.cpu_seconds(role), stack.cpu_seconds(REDIS), on.broker_cpu_seconds())
    return _Clocks(done, time.perf_counter(), cpu)


def _between(first: _Clocks, last: _Clocks) -> RoleFigures:
    done = last.done - first.done
    each_ms = [
        None if begin is None or end is None else (end - begin) * 1000 / done
        for begin, end in zip(first.cpu, last.cpu, strict=True)
    ]
    return RoleFigures(done / (last.wall - first.wall), *each_ms)


async def capacity(flows: int) -> CapacityFigures:
    """Accept so many flows, run them, call back: one after the other, each role alone.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    async with stage(0) as on:
        empty, _ = on.redis_bytes()
        await on.warm(_WARM_UP)
        warm, network_before = on.redis_bytes()

        before = _read(on, "listener", 0)
        await on.accept(flows)
        listener = _between(before, _read(on, "listener", flows))
        waiting, _ = on.redis_bytes()

        await on.start_processes(1)
        worker = await _watched(on, "processes", flows, lambda: on.finished() - _WARM_UP)
        on.end("processes")

        await on.start_callbacks()
        callbacks = await _watched(on, "callbacks", flows, lambda: len(on.sink.arrivals))
        await on.all_called_back(flows)
        finished, network_after = on.redis_bytes()
    return CapacityFigures(
        listener,
        worker,
        callbacks,
        (waiting - warm) / flows,
        (finished - empty) / (flows + _WARM_UP),
        (network_after - network_before) / flows,
    )


async def _watched(on: Stage, role: str, flows: int, done: Callable[[], int]) -> RoleFigures:
    """Follow a role until it has done all; its first tenth does not count."""
    await on.until(lambda: done() >= _SKIPPED * flows, f"{role} at work", 60)
    first = _read(on, role, done())
    while (count := done()) < flows:
        on.stack.check_alive()
        await asyncio.sleep(_LOOK_SECONDS)
    return _between(first, _read(on, role, count))
