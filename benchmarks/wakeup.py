"""How soon a process begins that was accepted, and how soon its callback is on the wire."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from rich.table import Table

from benchmarks.load import Latency
from benchmarks.parts import Parameters, Ratios, Say, median_ratio, table
from benchmarks.quiet import quiet_rounds
from benchmarks.scene import QUIET_PER_SECOND, Scene
from benchmarks.stacks import STACKS

_PERCENTILES: Final = {"p50": "p50_ms", "p99": "p99_ms"}


@dataclass(frozen=True, slots=True)
class WakeupFigures:
    """Of flows that come one by one."""

    answer_to_start: Latency
    """Below zero where a process began before the caller had its answer."""
    end_to_callback: Latency


@dataclass(frozen=True, slots=True)
class Wakeup:
    """Stack → figures, for each round."""

    rounds: Sequence[Mapping[str, WakeupFigures]]

    def figures(self) -> list[dict[str, Any]]:
        """Each round as it was."""
        return [{name: asdict(found) for name, found in each.items()} for each in self.rounds]

    def ratios(self) -> Ratios:
        """Of the way to the callback; that to the start may be none, or less, so it has none."""
        return {
            f"wakeup_callback_{name}": median_ratio(
                (
                    getattr(each["atom"].end_to_callback, figure),
                    getattr(each["baseline"].end_to_callback, figure),
                )
                for each in self.rounds
            )
            for name, figure in _PERCENTILES.items()
        }

    def shown(self) -> Iterable[Table]:
        """Medians of the rounds."""
        shown = table(f"Wake-up, {QUIET_PER_SECOND} flows a second (ms)", "", *STACKS)
        for label, way in (
            ("WAIT answer to start of the process", "answer_to_start"),
            ("end of the process to callback", "end_to_callback"),
        ):
            for name, figure in _PERCENTILES.items():
                middles = (self._middle(stack, way, figure) for stack in STACKS)
                shown.add_row(f"{label}, {name}", *(f"{each:.1f}" for each in middles))
        yield shown

    def _middle(self, stack: str, way: str, figure: str) -> float:
        return float(median(getattr(getattr(each[stack], way), figure) for each in self.rounds))


def measure_wakeup(parameters: Parameters, say: Say) -> Wakeup:
    """Both stacks in each round, with little to do.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    return Wakeup(quiet_rounds("Wake-up", _wakeup, parameters, say))


async def _wakeup(scene: Scene, flows: int) -> WakeupFigures:
    load = await scene.quiet(flows, "Stamp")
    started = scene.sink.started
    return WakeupFigures(
        Latency.of([at - load.answered[token] for token, at in started.items()]),
        Latency.of([scene.sink.arrivals[token] - at for token, at in started.items()]),
    )
