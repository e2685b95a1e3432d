"""How many processes that wait are really in flight at a time, and when all have called back."""

import asyncio
import resource
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from redis import Redis
from rich.table import Table

from atom.names import LEASES, PROCESSES
from atom.settings import Settings
from atom.store import RedisStore
from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import flow_requests
from benchmarks.load import accept_flows, callbacks_of, time_limit_seconds
from benchmarks.parts import Parameters, Say, table, text
from benchmarks.scene import Scene, on_scene
from benchmarks.stacks import Launch, Ports, atom

_THREADS: Final = 1000  # of a worker, at most
_START_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.05
_LOOKS_PER_WEIGHING: Final = 20


@dataclass(frozen=True, slots=True)
class InFlightFigures:
    """So many flows at once, and room for all of them."""

    flows: int
    workers: int
    most_in_flight: int
    """That had a lease at the same time."""
    seconds: float
    """From the first request to the last callback."""
    idle_mb: float | None
    """The workers' memory before; a page that processes share counts once."""
    most_mb: float | None


@dataclass(frozen=True, slots=True)
class InFlight:
    """One for each number that was asked for."""

    wait_seconds: int
    fleets: Sequence[InFlightFigures]

    def figures(self) -> list[dict[str, Any]]:
        """Each number."""
        return [asdict(each) for each in self.fleets]

    def ratios(self) -> dict[str, float | None]:
        """How much of what was asked for was in flight at a time."""
        return {f"in_flight_{each.flows}": each.most_in_flight / each.flows for each in self.fleets}

    def shown(self) -> Iterable[Table]:
        """Each number."""
        shown = table(
            f"Processes that wait {self.wait_seconds} s, workers of threads",
            *("flows", "workers", "most in flight", "all called back (s)"),
            *("workers before (MiB)", "at most (MiB)"),
        )
        for each in self.fleets:
            shown.add_row(
                f"{each.flows:,}",
                str(each.workers),
                f"{each.most_in_flight:,}",
                f"{each.seconds:.1f}",
                text(each.idle_mb, ".0f"),
                text(each.most_mb, ".0f"),
            )
        yield shown


def measure_in_flight(parameters: Parameters, say: Say) -> InFlight:
    """One Atom for each number.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # and of what is started from here
    wait = parameters.wait_seconds
    found = []
    for flows in parameters.in_flight:
        say(f"{flows:,} processes that wait {wait} s …")
        roles = [f"processes-{number}" for number in range(-(-flows // _THREADS))]
        play = partial(_fly, flows=flows, roles=roles, concurrency=parameters.concurrency)
        launch = partial(_launch, flows=flows, roles=roles, wait=wait)
        found.append(on_scene("atom", play, launch))
    return InFlight(wait, found)


def _launch(redis_url: str, ports: Ports, *, flows: int, roles: Sequence[str], wait: int) -> Launch:
    """An Atom with other workers: room for all the flows."""
    made = atom(redis_url, ports)
    threads = str(-(-flows // len(roles)))
    worker = ["atom", "worker", "--queues", PROCESSES, "--pool", "threads", "--concurrency"]
    commands = {role: command for role, command in made.commands.items() if role != PROCESSES}
    return Launch(
        {**made.environment, "BENCH_WAIT_SECONDS": str(wait)},
        {**commands, **{role: [*worker, threads] for role in roles}},
    )


async def _fly(
    scene: Scene, *, flows: int, roles: Sequence[str], concurrency: int
) -> InFlightFigures:
    await _until_there(scene, len(roles))
    idle = scene.stack.share_of_memory_mb(*roles)
    requests = flow_requests(flows, scene.port, scene.sink.port, "Sleep")
    scene.sink.expect(request.token for request in requests)
    watch = _Watch(scene, roles)
    watching = asyncio.create_task(watch.follow())
    try:
        load = await accept_flows(requests, scene.port, concurrency=concurrency)
        await callbacks_of(flows, scene.sink, time_limit_seconds(flows))
    finally:
        watching.cancel()
    seconds = max(scene.sink.arrivals.values()) - min(load.sent.values())
    return InFlightFigures(flows, len(roles), watch.most, seconds, idle, watch.most_mb)


async def _until_there(scene: Scene, workers: int) -> None:
    """Until so many workers say that they are there."""
    store = RedisStore(Settings(redis_url=scene.stack.redis_url))
    end = time.monotonic() + _START_SECONDS
    while len(store.presences(PROCESSES)) < workers:
        if time.monotonic() > end:
            raise BenchmarkError(f"Not within {_START_SECONDS:.0f} s: {workers} workers.")
        await asyncio.sleep(_LOOK_SECONDS)
    store.close()


class _Watch:
    """Looks again and again at what is in flight, and now and then at what it takes."""

    def __init__(self, scene: Scene, roles: Sequence[str]) -> None:
        self._stack, self._roles = scene.stack, roles
        self.most = 0
        self.most_mb: float | None = None

    async def follow(self) -> None:
        """Until it is cancelled."""
        looks = 0
        with Redis.from_url(self._stack.redis_url) as client:
            while True:
                self.most = max(self.most, client.zcard(LEASES))
                if looks % _LOOKS_PER_WEIGHING == 0:
                    now = await asyncio.to_thread(self._stack.share_of_memory_mb, *self._roles)
                    self.most_mb = max(self.most_mb or 0.0, now) if now else self.most_mb
                looks += 1
                await asyncio.sleep(_LOOK_SECONDS)
