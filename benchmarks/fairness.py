"""How long the single requests of one tenant wait while another tenant's flood is worked off."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any, Final
from uuid import uuid4

from rich.table import Table

from atom.names import request_execution_id
from atom.records import Execution
from atom.settings import Settings
from atom.store import RedisStore
from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import FlowRequest, flow_requests
from benchmarks.load import accept_flows
from benchmarks.parts import Parameters, Say, table
from benchmarks.scene import Scene, on_scene
from benchmarks.stacks import Launch, Ports, atom

_PROCESS_SECONDS: Final = 0.2
_SINGLES: Final = 40
_LOOK_SECONDS: Final = 0.005
_START_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Fairness:
    """From acceptance to start, of requests that come one after the other."""

    flood: int
    still_waiting: int
    """Of the flood, when the last of them had started."""
    process_ms: float
    idle_p50_ms: float
    idle_worst_ms: float
    flood_p50_ms: float
    flood_worst_ms: float

    @property
    def bounds_ms(self) -> tuple[float, float]:
        """What is promised: three times that of an idle system, and one process; p50 and worst."""
        p50, worst = 3 * self.idle_p50_ms, 3 * self.idle_worst_ms
        return p50 + self.process_ms, worst + self.process_ms

    def figures(self) -> dict[str, Any]:
        """All of them."""
        p50, worst = self.bounds_ms
        return {**asdict(self), "bound_p50_ms": p50, "bound_worst_ms": worst}

    def ratios(self) -> dict[str, float | None]:
        """The wait during the flood against the bound: 1 or less is as promised."""
        p50, worst = self.bounds_ms
        return {
            "fairness_p50_of_bound": self.flood_p50_ms / p50,
            "fairness_worst_of_bound": self.flood_worst_ms / worst,
        }

    def shown(self) -> Iterable[Table]:
        """Idle, and during the flood."""
        shown = table(
            f"Queue time of single requests, processes of {self.process_ms:.0f} ms; flood of "
            f"{self.flood:,} by another tenant, {self.still_waiting:,} of which waited to the end",
            *("", "p50 (ms)", "worst (ms)"),
        )
        shown.add_row("idle", f"{self.idle_p50_ms:.1f}", f"{self.idle_worst_ms:.1f}")
        shown.add_row("during the flood", f"{self.flood_p50_ms:.1f}", f"{self.flood_worst_ms:.1f}")
        shown.add_row("3 × idle + one process", *(f"{each:.1f}" for each in self.bounds_ms))
        yield shown


def measure_fairness(parameters: Parameters, say: Say) -> Fairness:
    """One Atom, idle and then flooded.

    Raises:
        BenchmarkError: a request failed, did not start in time, or the flood was over too soon.
    """
    say(f"A flood of {parameters.flood:,}, and single requests of another tenant …")
    play = partial(_flood, flood=parameters.flood, concurrency=parameters.concurrency)
    return on_scene("atom", play, _launch)


def _launch(redis_url: str, ports: Ports) -> Launch:
    made = atom(redis_url, ports)
    wait = {"BENCH_WAIT_SECONDS": str(_PROCESS_SECONDS)}
    return Launch({**made.environment, **wait}, made.commands)


async def _flood(scene: Scene, *, flood: int, concurrency: int) -> Fairness:
    await scene.warm(concurrency)
    asking = str(uuid4())
    many = flow_requests(flood, scene.port, scene.sink.port, "Sleep")
    singles = flow_requests(2 * _SINGLES, scene.port, scene.sink.port, "Sleep", tenant=asking)
    scene.sink.expect(each.token for each in (*many, *singles))
    store = RedisStore(Settings(redis_url=scene.stack.redis_url))
    idle = [await _queue_ms(scene, store, asking, each) for each in singles[:_SINGLES]]
    await accept_flows(many, scene.port, concurrency=concurrency)
    flooded = [await _queue_ms(scene, store, asking, each) for each in singles[_SINGLES:]]
    left = sum(each.waiting for each in store.overview().queues.values())
    store.close()
    if scene.sink.problems:
        raise BenchmarkError(scene.sink.problems[0])
    if not left:
        raise BenchmarkError("The flood was over too soon; ask for a larger one (--flood).")
    return Fairness(
        flood=flood,
        still_waiting=left,
        process_ms=1000 * _PROCESS_SECONDS,
        idle_p50_ms=median(idle),
        idle_worst_ms=max(idle),
        flood_p50_ms=median(flooded),
        flood_worst_ms=max(flooded),
    )


async def _queue_ms(scene: Scene, store: RedisStore, tenant: str, request: FlowRequest) -> float:
    """Ask once, and wait until it has ended: the next one must not wait for it."""
    await accept_flows([request], scene.port, concurrency=1)
    execution_id = request_execution_id(tenant, request.token, "Bench", "Sleep")
    end = time.monotonic() + _START_SECONDS
    found: Execution | None = None
    while found is None or found.started_at is None or not found.state.is_final:
        if time.monotonic() > end:
            raise BenchmarkError(f"A single request had not ended after {_START_SECONDS:.0f} s.")
        await asyncio.sleep(_LOOK_SECONDS)
        found = store.get(execution_id)
    return (found.started_at - found.accepted_at).total_seconds() * 1000
