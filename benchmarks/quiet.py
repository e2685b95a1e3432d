"""A flow's way from request to callback while there is little to do: an open loop."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final, TypeVar

from rich.table import Table

from benchmarks.load import Latency
from benchmarks.parts import Parameters, Ratios, Say, table
from benchmarks.rounds import in_turns, stack_ratios
from benchmarks.scene import QUIET_PER_SECOND, Scene, on_scene
from benchmarks.stacks import STACKS

_T = TypeVar("_T")

_ROWS: Final = (
    ("Request to callback, p50 (ms)", "quiet_p50", "p50_ms"),
    ("Request to callback, p99 (ms)", "quiet_p99", "p99_ms"),
)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Stack → how long its flows took, for each round."""

    rounds: Sequence[Mapping[str, Latency]]

    def figures(self) -> list[dict[str, Any]]:
        """Each round as it was."""
        return [{name: asdict(found) for name, found in each.items()} for each in self.rounds]

    def ratios(self) -> Ratios:
        """The median over the rounds of atom / baseline."""
        return stack_ratios(self.rounds, {name: figure for _, name, figure in _ROWS})

    def shown(self) -> Iterable[Table]:
        """Medians of the rounds."""
        shown = table(f"{QUIET_PER_SECOND} flows a second", "", *STACKS, "atom / baseline")
        ratios = self.ratios()
        for label, name, figure in _ROWS:
            middles = [
                median(getattr(each[stack], figure) for each in self.rounds) for stack in STACKS
            ]
            shown.add_row(label, *(f"{each:.1f}" for each in middles), f"{ratios[name]:.2f}")
        yield shown


def measure_quiet(parameters: Parameters, say: Say) -> Quiet:
    """Both stacks in each round.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    return Quiet(quiet_rounds("Quiet", _quiet, parameters, say))


def quiet_rounds(
    what: str,
    play: Callable[[Scene, int], Coroutine[Any, Any, _T]],
    parameters: Parameters,
    say: Say,
) -> list[dict[str, _T]]:
    """Play so many flows on each stack in each round, once it is warm; by stack, for each round."""
    flows = parameters.quiet_seconds * QUIET_PER_SECOND

    async def warmed(scene: Scene) -> _T:
        await scene.warm(parameters.concurrency)
        return await play(scene, flows)

    rounds = []
    for number in range(parameters.rounds):
        say(f"{what}, round {number + 1} of {parameters.rounds}: {flows} flows on each stack …")
        rounds.append({name: on_scene(name, warmed) for name in in_turns(STACKS, number)})
    return rounds


async def _quiet(scene: Scene, flows: int) -> Latency:
    load = await scene.quiet(flows)
    arrivals = scene.sink.arrivals
    return Latency.of([arrivals[token] - at for token, at in load.sent.items()])
