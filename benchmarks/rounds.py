"""One round: each stack in turn under the same load, and how they compare."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Self, TypeVar

from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import flow_requests
from benchmarks.load import LoadFigures, send_flows
from benchmarks.proc import machine_cpu_seconds
from benchmarks.quiet import QuietFigures, quiet
from benchmarks.round_trips import RoundTripFigures, round_trips
from benchmarks.sink import CallbackSink
from benchmarks.stacks import STACKS, Stack, running
from benchmarks.upload import UploadFigures, upload

_T = TypeVar("_T")

_WARM_UP_FLOWS: Final = 100
_ALONE_FLOWS: Final = 200
_CROWD: Final = 256
_WATCH_SECONDS: Final = 0.5
# More than this in use by others, and the figures say little.
_BUSY_CORES: Final = 0.25


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one asked for."""

    flows: int
    concurrency: int
    round_trips: int
    quiet_flows: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one stack showed in one round; None where the system does not tell."""

    accept_p50_ms: float
    accept_p99_ms: float
    accepted_per_second: float
    accept_alone_p50_ms: float
    accept_crowd_p50_ms: float
    accept_crowd_p99_ms: float
    flows_per_second: float
    quiet_p50_ms: float
    quiet_p99_ms: float
    cpu_ms_per_flow: float | None
    load_generator_cpu_ms_per_flow: float
    cores_busy_elsewhere: float | None
    round_trip_p50_ms: float
    round_trip_p99_ms: float
    round_trips_per_second: float
    # Of the stack that takes files.
    upload: UploadFigures | None


# What is compared, under the names of the result file.
RATIOS: Final[Mapping[str, str]] = {
    "accept_p50": "accept_p50_ms",
    "accept_p99": "accept_p99_ms",
    "accepted_per_second": "accepted_per_second",
    "accept_alone_p50": "accept_alone_p50_ms",
    "accept_crowd_p50": "accept_crowd_p50_ms",
    "accept_crowd_p99": "accept_crowd_p99_ms",
    "flows_per_second": "flows_per_second",
    "quiet_p50": "quiet_p50_ms",
    "quiet_p99": "quiet_p99_ms",
    "cpu_ms_per_flow": "cpu_ms_per_flow",
    "round_trip_p50": "round_trip_p50_ms",
    "round_trip_p99": "round_trip_p99_ms",
    "round_trips_per_second": "round_trips_per_second",
}

Round = Mapping[str, Figures]


def run_rounds(parameters: Parameters, say: Callable[[str], None]) -> list[Round]:
    """Run every round, saying what is running.

    Raises:
        BenchmarkError: a round is not valid; then there is no result at all.
    """
    rounds: list[Round] = []
    for number in range(parameters.rounds):
        # In turns, so that neither always runs on the warmer or the busier machine.
        order = STACKS if number % 2 == 0 else tuple(reversed(STACKS))
        measured: dict[str, Figures] = {}
        for name in order:
            say(f"Round {number + 1} of {parameters.rounds}, {name}: {parameters.flows} flows …")
            measured[name] = figures = measure(name, parameters)
            say(
                f"    accepted {figures.accepted_per_second:.0f}/s "
                f"(p50 {figures.accept_p50_ms:.1f} ms), flows {figures.flows_per_second:.0f}/s, "
                f"round trip p50 {figures.round_trip_p50_ms:.1f} ms"
            )
            if (figures.cores_busy_elsewhere or 0) > _BUSY_CORES:
                say(
                    f"    NOTE: other programs kept {figures.cores_busy_elsewhere:.1f} cores busy "
                    "meanwhile; measure again on a quiet machine."
                )
        rounds.append({name: measured[name] for name in STACKS})
    return rounds


def measure(name: str, parameters: Parameters) -> Figures:
    """Start a stack, warm it, measure it, stop it.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as bound,
        running(name, bound.getsockname()[1]) as stack,
    ):
        return asyncio.run(_watched(stack, _measure(stack, bound, parameters)))


def compare(rounds: Sequence[Round]) -> dict[str, float | None]:
    """The median over the rounds of atom / baseline, for each figure."""
    return {name: _median_ratio(rounds, figure) for name, figure in RATIOS.items()}


def middle(rounds: Sequence[Round], stack: str, figure: str) -> float | None:
    """The median over the rounds of one figure of one stack."""
    values = [getattr(each[stack], figure) for each in rounds]
    return None if None in values else median(values)


def _median_ratio(rounds: Sequence[Round], figure: str) -> float | None:
    ratios: list[float] = []
    for each in rounds:
        ours, theirs = getattr(each["atom"], figure), getattr(each["baseline"], figure)
        if ours is None or not theirs:
            return None
        ratios.append(ours / theirs)
    return median(ratios)


@dataclass(frozen=True, slots=True)
class _Clocks:
    """Seconds since whenever; only differences mean something."""

    wall: float
    own: float
    stack: float | None
    machine: float | None

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            time.perf_counter(), time.process_time(), stack.cpu_seconds(), machine_cpu_seconds()
        )


async def _measure(stack: Stack, bound: socket.socket, parameters: Parameters) -> Figures:
    port = stack.ports.listener
    async with CallbackSink(bound) as sink:
        # The first flow shows that the whole way works.
        for flows in (1, _WARM_UP_FLOWS):
            await send_flows(
                flow_requests(flows, port, sink.port),
                sink,
                port,
                concurrency=parameters.concurrency,
            )
        requests = flow_requests(parameters.flows, port, sink.port)
        before = _Clocks.read(stack)
        load = await send_flows(requests, sink, port, concurrency=parameters.concurrency)
        after = _Clocks.read(stack)
        others = await _other_loads(sink, port, parameters)
    trips = await asyncio.to_thread(round_trips, stack, parameters.round_trips)
    uploaded = await asyncio.to_thread(upload, stack) if stack.name == "atom" else None
    return _figures(load, others, (before, after), parameters.flows, trips, uploaded)


@dataclass(frozen=True, slots=True)
class _Others:
    alone: LoadFigures
    crowd: LoadFigures
    quiet: QuietFigures


async def _other_loads(sink: CallbackSink, port: int, parameters: Parameters) -> _Others:
    """One caller, many callers, and hardly any."""

    async def send(flows: int, concurrency: int) -> LoadFigures:
        requests = flow_requests(flows, port, sink.port)
        return await send_flows(requests, sink, port, concurrency=concurrency)

    return _Others(
        await send(min(_ALONE_FLOWS, parameters.flows), 1),
        await send(parameters.flows, _CROWD),
        await quiet(parameters.quiet_flows, sink, port),
    )


def _figures(
    load: LoadFigures,
    others: _Others,
    clocks: tuple[_Clocks, _Clocks],
    flows: int,
    trips: RoundTripFigures,
    uploaded: UploadFigures | None,
) -> Figures:
    before, after = clocks
    own = after.own - before.own
    used = _difference(before.stack, after.stack)
    busy = _difference(before.machine, after.machine)
    elsewhere = None
    if used is not None and busy is not None:
        elsewhere = max(0.0, busy - used - own) / (after.wall - before.wall)
    return Figures(
        accept_p50_ms=load.accept_p50_ms,
        accept_p99_ms=load.accept_p99_ms,
        accepted_per_second=load.accepted_per_second,
        accept_alone_p50_ms=others.alone.accept_p50_ms,
        accept_crowd_p50_ms=others.crowd.accept_p50_ms,
        accept_crowd_p99_ms=others.crowd.accept_p99_ms,
        flows_per_second=load.flows_per_second,
        quiet_p50_ms=others.quiet.p50_ms,
        quiet_p99_ms=others.quiet.p99_ms,
        cpu_ms_per_flow=None if used is None else used * 1000 / flows,
        load_generator_cpu_ms_per_flow=own * 1000 / flows,
        cores_busy_elsewhere=elsewhere,
        round_trip_p50_ms=trips.p50_ms,
        round_trip_p99_ms=trips.p99_ms,
        round_trips_per_second=trips.per_second,
        upload=uploaded,
    )


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


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
