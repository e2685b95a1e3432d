"""Whether twice as many worker processes do twice as much of what waits."""

from dataclasses import dataclass
from typing import Final

from benchmarks.scale.stage import Stage, stage

WAIT_SECONDS: Final = 0.2
ACTIONS: Final = {"Sleep": "sleeps", "Ask": "waits on HTTP"}


@dataclass(frozen=True, slots=True)
class LinearFigures:
    """Executions of one kind with so many worker processes."""

    kind: str
    processes: int
    per_second: float
    of_linear: float
    """Against that many times what one process did."""


async def linear(most_processes: int, rounds: int) -> list[LinearFigures]:
    """Measure with 1, 2, … worker processes; each runs so many executions of each kind.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    found: list[LinearFigures] = []
    async with stage(WAIT_SECONDS) as on:
        await on.start_callbacks()
        for processes in range(1, most_processes + 1):
            await on.start_processes(processes)
            for action, kind in ACTIONS.items():
                per_second = await _rate(on, action, processes, rounds)
                alone = next((each.per_second for each in found if each.kind == kind), per_second)
                ratio = per_second / (processes * alone)
                found.append(LinearFigures(kind, processes, per_second, ratio))
            on.end("processes")
    return found


async def _rate(on: Stage, action: str, processes: int, rounds: int) -> float:
    """Executions per second, by their callbacks, once every process is at work."""
    flows = processes * (rounds + 1)
    await on.accept(flows, action)
    await on.all_called_back(flows)
    arrivals = sorted(on.sink.arrivals.values())
    return (flows - processes) / (arrivals[-1] - arrivals[processes - 1])
