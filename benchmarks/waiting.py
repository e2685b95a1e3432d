"""What holds no worker: how late sleepers go on, and how much faster four workers map."""

import asyncio
import statistics
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.table import Table

from atom.history import ExecutionFilter
from atom.records import State
from benchmarks.load import callbacks_of
from benchmarks.parts import Parameters, Ratios, Say, table
from benchmarks.scale.stage import Stage, stage
from benchmarks.services import ITEM_SECONDS, MAPPED, REST_SECONDS

_WARM_UP: Final = 100
_WORKERS: Final = (1, 4)
_PATIENCE_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Both."""

    sleepers: int
    bytes_each: float
    """That Redis holds for one that sleeps, with its request."""
    late_p50: float
    """Seconds after its time at which it runs again."""
    late_p99: float
    late_most: float
    map_seconds: dict[int, float]
    """From the request to the callback, by workers of one process."""

    @property
    def speed_up(self) -> float:
        """Of four workers against one."""
        few, many = (self.map_seconds[each] for each in _WORKERS)
        return few / many

    def figures(self) -> dict[str, Any]:
        """All of it."""
        seconds = {str(workers): took for workers, took in self.map_seconds.items()}
        return {**asdict(self), "map_seconds": seconds}

    def ratios(self) -> Ratios:
        """Four workers against one."""
        return {"map_speed_up": self.speed_up}

    def shown(self) -> Iterable[Table | str]:
        """One line each."""
        shown = table(
            f"{self.sleepers:,} executions that sleep {REST_SECONDS:g} to {2 * REST_SECONDS:g} s",
            *("Redis for each (bytes)", "late p50 (s)", "p99 (s)", "at most (s)"),
        )
        shown.add_row(
            f"{self.bytes_each:,.0f}",
            *(f"{each:.2f}" for each in (self.late_p50, self.late_p99, self.late_most)),
        )
        yield shown
        took = ", ".join(
            f"{workers} worker{'s' * (workers > 1)}: {seconds:.1f} s"
            for workers, seconds in self.map_seconds.items()
        )
        yield (
            f"A map over {MAPPED:,} items of {ITEM_SECONDS * 1000:.0f} ms, {took}; "
            f"{self.speed_up:.2f} times as fast"
        )


def measure_waiting(parameters: Parameters, say: Say) -> Waiting:
    """An Atom of its own for each.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    sleepers = max(parameters.in_flight)
    say(f"{sleepers:,} executions that sleep, a map over {MAPPED:,} items …")
    late, bytes_each = asyncio.run(_sleep(sleepers))
    cuts = statistics.quantiles(late, n=100)
    return Waiting(
        sleepers=sleepers,
        bytes_each=bytes_each,
        late_p50=cuts[49],
        late_p99=cuts[98],
        late_most=max(late),
        map_seconds={workers: asyncio.run(_map(workers)) for workers in _WORKERS},
    )


async def _sleep(flows: int) -> tuple[list[float], float]:
    """How late each went on, in seconds, and what Redis held for each meanwhile."""
    async with stage(0) as on:
        await _begin(on, 2)
        before, _ = on.redis_bytes()
        await on.accept(flows, "Rest")
        await on.until(
            lambda: on.store.overview().suspended == flows, "them to sleep", REST_SECONDS
        )
        during, _ = on.redis_bytes()
        asleep = on.store.find(flows, ExecutionFilter(state=State.SUSPENDED)).executions
        dues = {each.id: each.wait.until for each in asleep if each.wait and each.wait.until}
        await callbacks_of(flows, on.sink, _PATIENCE_SECONDS)
        late = [
            (found.runs[1].started_at - due).total_seconds()
            for execution_id, due in dues.items()
            if (found := on.store.get(execution_id))
        ]
    return late, (during - before) / flows


async def _map(workers: int) -> float:
    """How long a map took."""
    async with stage(0) as on:
        await _begin(on, 1)
        for number in range(1, workers):
            await on.start_processes(1, role=f"processes-{number + 1}")
        began = time.monotonic()
        await on.accept(1, "Map")
        await callbacks_of(1, on.sink, _PATIENCE_SECONDS)
        return time.monotonic() - began


async def _begin(on: Stage, processes: int) -> None:
    """Every role at work, and warm."""
    on.stack.start_role("recovery", ["atom", "recovery"])
    await on.start_processes(processes)
    await on.start_callbacks()
    await on.accept(_WARM_UP)
    await on.all_called_back(_WARM_UP)
