"""Whether flows take longer over a long history of finished executions."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

from redis import Redis
from rich.table import Table

from benchmarks.history import fill
from benchmarks.load import LoadFigures
from benchmarks.parts import Parameters, Ratios, Say, ratio, table
from benchmarks.scene import Scene, on_scene
from benchmarks.stacks import Launch, Ports, atom


@dataclass(frozen=True, slots=True)
class HistoryFigures:
    """Flows over so many finished executions, medians of the rounds."""

    executions: int
    accept_p50_ms: float
    flows_per_second: float


@dataclass(frozen=True, slots=True)
class Histories:
    """In the order in which they were asked for."""

    histories: Sequence[HistoryFigures]

    def figures(self) -> list[dict[str, Any]]:
        """Each history."""
        return [asdict(each) for each in self.histories]

    def ratios(self) -> Ratios:
        """Each history against the first, which is none by default."""
        first, *others = self.histories
        found: dict[str, float | None] = {}
        for each in others:
            for figure in ("accept_p50_ms", "flows_per_second"):
                name = f"history_{each.executions}_{figure.removesuffix('_ms')}"
                found[name] = ratio(getattr(each, figure), getattr(first, figure))
        return found

    def shown(self) -> Iterable[Table]:
        """Each history, and its ratios to the first."""
        first = self.histories[0]
        shown = table(
            "Over a history",
            *("finished executions", "accept, p50 (ms)", "of the first"),
            *("flows per second", "of the first"),
        )
        for each in self.histories:
            shown.add_row(
                f"{each.executions:,}",
                f"{each.accept_p50_ms:.1f}",
                f"{each.accept_p50_ms / first.accept_p50_ms:.2f}",
                f"{each.flows_per_second:.0f}",
                f"{each.flows_per_second / first.flows_per_second:.2f}",
            )
        yield shown


def measure_history(parameters: Parameters, say: Say) -> Histories:
    """One Atom for each length.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    found = []
    for executions in parameters.history:
        say(f"A history of {executions:,}: {parameters.flows} flows …")

        def launch(redis_url: str, ports: Ports, executions: int = executions) -> Launch:
            """Fill the store before there is a role that would look at it."""
            with Redis.from_url(redis_url) as client:
                client.config_set("appendonly", "no")  # as where it is filled
            if executions:
                fill(redis_url, executions, say)
            return atom(redis_url, ports)

        loads = on_scene("atom", partial(_flows, parameters=parameters), launch)
        accept = median(load.accept.p50_ms for load in loads)
        flows = median(load.flows_per_second for load in loads)
        found.append(HistoryFigures(executions, accept, flows))
    return Histories(found)


async def _flows(scene: Scene, parameters: Parameters) -> list[LoadFigures]:
    await scene.warm(parameters.concurrency)
    return [
        await scene.send(parameters.flows, parameters.concurrency) for _ in range(parameters.rounds)
    ]
