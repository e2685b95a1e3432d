"""How soon a process begins that was accepted, and how soon its callback is on the wire."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from rich.table import Table

from benchmarks.load import Latency
from benchmarks.parts import Parameters, Ratios, Say, table
from benchmarks.scene import QUIET_PER_SECOND, Scene, on_scene


@dataclass(frozen=True, slots=True)
class Wakeup:
    """Of flows that come one by one."""

    answer_to_start: Latency
    """Below zero where a process began before the caller had its answer."""
    end_to_callback: Latency

    def figures(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def ratios(self) -> Ratios:
        """None: the baseline's processes do not tell."""
        return {}

    def shown(self) -> Iterable[Table]:
        """Each way."""
        shown = table(f"Wake-up, {QUIET_PER_SECOND} flows a second", "", "p50 (ms)", "p99 (ms)")
        for label, found in (
            ("WAIT answer to start of the process", self.answer_to_start),
            ("end of the process to callback", self.end_to_callback),
        ):
            shown.add_row(label, f"{found.p50_ms:.1f}", f"{found.p99_ms:.1f}")
        yield shown


def measure_wakeup(parameters: Parameters, say: Say) -> Wakeup:
    """On an Atom that has little to do.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    flows = parameters.quiet_seconds * QUIET_PER_SECOND
    say(f"Wake-up: {flows} flows …")
    return on_scene("atom", partial(_wakeup, flows=flows, concurrency=parameters.concurrency))


async def _wakeup(scene: Scene, flows: int, concurrency: int) -> Wakeup:
    await scene.warm(concurrency)
    load = await scene.quiet(flows, "Stamp")
    started = scene.sink.started
    return Wakeup(
        Latency.of([at - load.answered[token] for token, at in started.items()]),
        Latency.of([scene.sink.arrivals[token] - at for token, at in started.items()]),
    )
