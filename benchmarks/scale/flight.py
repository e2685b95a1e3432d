"""How many executions that wait are in flight in one machine's workers, and what each takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.errors import BenchmarkError
from benchmarks.scale.stage import Stage, stage

WAIT_SECONDS: Final = 10.0
_FULL_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """Workers of one pool, and how many flows they get."""

    pool: str
    workers: int
    concurrency: int
    flows: int


@dataclass(frozen=True, slots=True)
class FlightFigures:
    """Workers whose processes wait on HTTP."""

    pool: str
    workers: int
    concurrency: int
    most_in_flight: int
    """As the server saw it that they waited for."""
    per_second: float
    memory_mb: float | None
    """Of all their processes while they were full; what those share counts once."""
    memory_mb_each: float | None
    """What an execution in flight adds to workers that run one at a time."""
    cpu_ms_each: float | None
    leases_lost: int


async def flight(fleet: Fleet) -> FlightFigures:
    """Let the flows wait, and then run them.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    roles = [f"processes-{number}" for number in range(1, fleet.workers + 1)]
    async with stage(WAIT_SECONDS) as on:
        await on.start_callbacks()
        await on.start_processes(1, fleet.pool, roles[0])
        idle = on.stack.share_of_memory_mb(roles[0])
        on.end(roles[0])
        await on.accept(fleet.flows, "Ask")
        for role in roles:
            await on.start_processes(fleet.concurrency, fleet.pool, role)
        before = on.stack.cpu_seconds(*roles)
        memory = await _memory_when_full(on, fleet, roles)
        await on.all_called_back(fleet.flows)
        after = on.stack.cpu_seconds(*roles)
        arrivals = on.sink.arrivals.values()
        lost = on.store.overview().counters.get("lease_lost", 0)
        most = on.slow.most_waiting
    each = None if memory is None or idle is None else (memory - fleet.workers * idle) / most
    used = None
    if before is not None and after is not None:
        used = (after - before) * 1000 / fleet.flows
    return FlightFigures(
        pool=fleet.pool,
        workers=fleet.workers,
        concurrency=fleet.concurrency,
        most_in_flight=most,
        per_second=fleet.flows / (max(arrivals) - min(arrivals) + WAIT_SECONDS),
        memory_mb=memory,
        memory_mb_each=each,
        cpu_ms_each=used,
        leases_lost=lost,
    )


async def _memory_when_full(on: Stage, fleet: Fleet, roles: Sequence[str]) -> float | None:
    """What the workers hold while they have all they take, or more than they will have again."""
    room = min(fleet.workers * fleet.concurrency, fleet.flows)
    seen = 0

    def is_full() -> bool:
        nonlocal seen
        now, seen = on.slow.waiting, max(seen, on.slow.waiting)
        return now >= room or now < 0.95 * seen

    await on.until(is_full, "full workers", _FULL_SECONDS)
    if not seen:
        raise BenchmarkError("Nothing was in flight.")
    return on.stack.share_of_memory_mb(*roles)
