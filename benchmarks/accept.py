"""Accepting flows at several concurrencies, while others are processed and alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any, Final

from rich.table import Table

from benchmarks.flow_requests import flow_requests
from benchmarks.load import accept_flows
from benchmarks.parts import Parameters, Ratios, Say, median_ratio, table
from benchmarks.rounds import in_turns
from benchmarks.scene import Scene, on_scene

CONCURRENCIES: Final = (1, 32, 256)
_ACCEPT_ONLY: Final = ("alone", "empty")  # nobody processes what they accept
_STACKS: Final = ("baseline", "atom", *_ACCEPT_ONLY)


@dataclass(frozen=True, slots=True)
class AcceptFigures:
    """What callers saw, so many at a time."""

    p50_ms: float
    p99_ms: float
    per_second: float


_Measured = Mapping[int, AcceptFigures]


@dataclass(frozen=True, slots=True)
class Accepts:
    """Stack → concurrency → figures, for each round."""

    rounds: Sequence[Mapping[str, _Measured]]

    def figures(self) -> list[dict[str, Any]]:
        """With the concurrencies as `c1` and so on."""
        return [
            {
                stack: {f"c{number}": asdict(found) for number, found in measured.items()}
                for stack, measured in each.items()
            }
            for each in self.rounds
        ]

    def ratios(self) -> Ratios:
        """Medians over the rounds: against the baseline and against `empty`."""
        found: dict[str, float | None] = {}
        for number in CONCURRENCIES:
            for figure in ("p50", "p99"):
                name, attribute = f"accept_{figure}_c{number}", f"{figure}_ms"
                found[name] = self._ratio(number, attribute, "baseline")
            found[f"accepts_per_second_c{number}"] = self._ratio(number, "per_second", "baseline")
            found[f"accept_p50_of_empty_c{number}"] = self._ratio(number, "p50_ms", "empty")
            found[f"accept_alone_p50_of_empty_c{number}"] = self._ratio(
                number, "p50_ms", "empty", "alone"
            )
        return found

    def shown(self) -> Iterable[Table]:
        """Medians of the rounds."""
        shown = table("Accept", "connections", "stack", "p50 (ms)", "p99 (ms)", "per second")
        shown.add_column("p50 of baseline", justify="right")
        for number in CONCURRENCIES:
            for stack in _STACKS:
                shown.add_row(
                    str(number),
                    stack,
                    *(
                        f"{self._middle(number, figure, stack):.1f}"
                        for figure in ("p50_ms", "p99_ms", "per_second")
                    ),
                    f"{self._ratio(number, 'p50_ms', 'baseline', stack):.2f}",
                )
        yield shown

    def _middle(self, number: int, figure: str, stack: str) -> float:
        return float(median(getattr(each[stack][number], figure) for each in self.rounds))

    def _ratio(self, number: int, figure: str, of: str, stack: str = "atom") -> float | None:
        return median_ratio(
            (getattr(each[stack][number], figure), getattr(each[of][number], figure))
            for each in self.rounds
        )


def measure_accept(parameters: Parameters, say: Say) -> Accepts:
    """Every stack in each round, every concurrency on each.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    rounds = []
    for number in range(parameters.rounds):
        say(f"Accept, round {number + 1} of {parameters.rounds}: {', '.join(_STACKS)} …")
        play = partial(_accept, flows=parameters.flows)
        measured = {name: on_scene(name, play) for name in in_turns(_STACKS, number)}
        rounds.append(measured)
    return Accepts(rounds)


async def _accept(scene: Scene, flows: int) -> _Measured:
    if scene.stack.name in _ACCEPT_ONLY:
        await _accept_only(scene, flows, CONCURRENCIES[0])
        return {number: await _accept_only(scene, flows, number) for number in CONCURRENCIES}
    await scene.warm(CONCURRENCIES[1])
    measured = {}
    for number in CONCURRENCIES:
        load = await scene.send(flows, number)
        measured[number] = AcceptFigures(
            load.accept.p50_ms, load.accept.p99_ms, load.accepted_per_second
        )
    return measured


async def _accept_only(scene: Scene, flows: int, concurrency: int) -> AcceptFigures:
    """Of a stack that calls nobody back."""
    requests = flow_requests(flows, scene.port, scene.sink.port)
    load = await accept_flows(requests, scene.port, concurrency=concurrency)
    return AcceptFigures(load.latency().p50_ms, load.latency().p99_ms, load.per_second())
