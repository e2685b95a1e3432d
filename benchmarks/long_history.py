"""Whether flows take longer over a long history of finished executions."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any, Final

from redis import Redis
from rich.table import Table

from benchmarks.history import fill
from benchmarks.parts import Parameters, Ratios, Say, ratio, table, text
from benchmarks.scene import Scene, on_scene
from benchmarks.stacks import Launch, Ports, atom

# What is compared → the figure.
_FIGURES: Final = {
    "accept_p50": "accept_p50_ms",
    "flows_per_second": "flows_per_second",
    "cpu_per_flow": "cpu_ms_per_flow",
}


@dataclass(frozen=True, slots=True)
class HistoryFigures:
    """Flows over so many finished executions, medians of the rounds."""

    executions: int
    accept_p50_ms: float
    flows_per_second: float
    cpu_ms_per_flow: float | None
    """Of all the stack: what other programs do disturbs it least."""


@dataclass(frozen=True, slots=True)
class Histories:
    """In the order in which they were asked for."""

    histories: Sequence[HistoryFigures]

    def figures(self) -> list[dict[str, Any]]:
        """Each history."""
        return [asdict(each) for each in self.histories]

    def ratios(self) -> Ratios:
        """Each history against the first, which is none by default."""
        return {
            f"history_{each.executions}_{name}": self._of_the_first(each, figure)
            for each in self.histories[1:]
            for name, figure in _FIGURES.items()
        }

    def shown(self) -> Iterable[Table]:
        """Each history, with its ratios to the first in parentheses."""
        shown = table(
            "Over a history (of the first)",
            *("executions", "accept, p50 (ms)", "flows per second", "CPU per flow (ms)"),
        )
        for each in self.histories:
            cells = (
                f"{text(getattr(each, figure), '.1f')} "
                f"({text(self._of_the_first(each, figure), '.2f')})"
                for figure in _FIGURES.values()
            )
            shown.add_row(f"{each.executions:,}", *cells)
        yield shown

    def _of_the_first(self, each: HistoryFigures, figure: str) -> float | None:
        return ratio(getattr(each, figure), getattr(self.histories[0], figure))


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

        play = partial(_flows, executions=executions, parameters=parameters)
        found.append(on_scene("atom", play, launch))
    return Histories(found)


async def _flows(scene: Scene, executions: int, parameters: Parameters) -> HistoryFigures:
    await scene.warm(parameters.concurrency)
    before = scene.stack.cpu_seconds()
    loads = [
        await scene.send(parameters.flows, parameters.concurrency) for _ in range(parameters.rounds)
    ]
    after = scene.stack.cpu_seconds()
    flows = parameters.flows * parameters.rounds
    return HistoryFigures(
        executions=executions,
        accept_p50_ms=median(load.accept.p50_ms for load in loads),
        flows_per_second=median(load.flows_per_second for load in loads),
        cpu_ms_per_flow=None if before is None or after is None else (after - before) * 1e3 / flows,
    )
