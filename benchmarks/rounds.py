"""One round: each stack in turn under the same load, and how they compare."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final, Self

from rich.table import Table

from benchmarks.load import LoadFigures
from benchmarks.parts import Parameters, Ratios, Say, median_ratio, text
from benchmarks.proc import machine_cpu_seconds
from benchmarks.round_trips import RoundTripFigures, round_trips
from benchmarks.scene import Scene, on_scene
from benchmarks.stacks import PEERS, Stack
from benchmarks.upload import MEBIBYTES, UploadFigures, upload

# More than this in use by others, and the figures say little.
BUSY_CORES: Final = 0.25


@dataclass(frozen=True, slots=True)
class Figures:
    """What one stack showed in one round; None where the system does not tell."""

    accept_p50_ms: float
    accept_p99_ms: float
    accepted_per_second: float
    flows_per_second: float
    cpu_ms_per_flow: float | None
    load_generator_cpu_ms_per_flow: float
    cores_busy_elsewhere: float | None
    round_trip_p50_ms: float
    round_trip_p99_ms: float
    round_trips_per_second: float
    # Of the stack that takes files.
    upload: UploadFigures | None


# What is compared, under the names of the result file.
RATIOS: Final[Mapping[str, str]] = {
    "accept_p50": "accept_p50_ms",
    "accept_p99": "accept_p99_ms",
    "accepted_per_second": "accepted_per_second",
    "flows_per_second": "flows_per_second",
    "cpu_ms_per_flow": "cpu_ms_per_flow",
    "round_trip_p50": "round_trip_p50_ms",
    "round_trip_p99": "round_trip_p99_ms",
    "round_trips_per_second": "round_trips_per_second",
}

_LABELS: Final = {
    "accept_p50": "Accept, p50 (ms)",
    "accept_p99": "Accept, p99 (ms)",
    "accepted_per_second": "Accepted per second",
    "flows_per_second": "Flows per second",
    "cpu_ms_per_flow": "CPU per flow (ms)",
    "round_trip_p50": "Round trip, p50 (ms)",
    "round_trip_p99": "Round trip, p99 (ms)",
    "round_trips_per_second": "Round trips per second",
}
_HIGHER_IS_BETTER: Final = {"accepted_per_second", "flows_per_second", "round_trips_per_second"}

Round = Mapping[str, Figures]

_STACKS: Final = (*PEERS, "atom")


@dataclass(frozen=True, slots=True)
class Rounds:
    """Every round of a run."""

    parameters: Parameters
    rounds: Sequence[Round]

    def figures(self) -> list[dict[str, Any]]:
        """Each round as it was."""
        return [{name: asdict(found) for name, found in each.items()} for each in self.rounds]

    def ratios(self) -> Ratios:
        """Return the medians over the rounds of atom / peer, for each figure.

        A ratio to the baseline has the name of its figure; others end with `_of_<peer>`.
        """
        found = stack_ratios(self.rounds, RATIOS)
        for peer in PEERS[1:]:
            ratios = stack_ratios(self.rounds, RATIOS, peer)
            found |= {f"{name}_of_{peer}": ratio for name, ratio in ratios.items()}
        return found

    def shown(self) -> Iterable[Table | str]:
        """Return the medians and ratios of all stacks, and the memory of the listener."""
        asked = self.parameters
        shown = Table(
            title=f"{asked.flows} flows, {asked.concurrency} at once; {asked.round_trips} round "
            "trips, one at a time (a data action's get; of the peers a bare task with its result); "
            f"medians of {asked.rounds} rounds"
        )
        shown.add_column("")
        for heading in (*_STACKS, *(f"atom / {peer}" for peer in PEERS)):
            shown.add_column(heading, justify="right")
        shown.add_column("better")
        ratios = self.ratios()
        for name, figure in RATIOS.items():
            shown.add_row(
                _LABELS[name],
                *(text(middle(self.rounds, stack, figure), ".1f") for stack in _STACKS),
                text(ratios[name], ".2f"),
                *(text(ratios[f"{name}_of_{peer}"], ".2f") for peer in PEERS[1:]),
                "higher" if name in _HIGHER_IS_BETTER else "lower",
            )
        yield shown
        yield _upload_memory(self.rounds)


def measure_rounds(parameters: Parameters, say: Say) -> Rounds:
    """Run every round, saying what is running.

    Raises:
        BenchmarkError: a round is not valid; then there is no result at all.
    """
    rounds: list[Round] = []
    for number in range(parameters.rounds):
        measured: dict[str, Figures] = {}
        for name in in_turns(_STACKS, number):
            say(f"Round {number + 1} of {parameters.rounds}, {name}: {parameters.flows} flows …")
            measured[name] = figures = on_scene(name, lambda scene: _measure(scene, parameters))
            say(
                f"    accepted {figures.accepted_per_second:.0f}/s "
                f"(p50 {figures.accept_p50_ms:.1f} ms), flows {figures.flows_per_second:.0f}/s, "
                f"round trip p50 {figures.round_trip_p50_ms:.1f} ms"
            )
            if (figures.cores_busy_elsewhere or 0) > BUSY_CORES:
                say(
                    f"    NOTE: other programs kept {figures.cores_busy_elsewhere:.1f} cores busy "
                    "meanwhile; measure again on a quiet machine."
                )
        rounds.append({name: measured[name] for name in _STACKS})
    return Rounds(parameters, rounds)


def in_turns(stacks: Sequence[str], number: int) -> Sequence[str]:
    """The stacks in the order of that round: none always has the warmer or the busier machine."""
    return stacks if number % 2 == 0 else tuple(reversed(stacks))


def stack_ratios(
    rounds: Sequence[Mapping[str, Any]], figures: Mapping[str, str], peer: str = "baseline"
) -> dict[str, float | None]:
    """Return the median over the rounds of atom / peer, for each figure under its name."""
    return {
        name: median_ratio(
            (getattr(stacks["atom"], figure), getattr(stacks[peer], figure)) for stacks in rounds
        )
        for name, figure in figures.items()
    }


def middle(rounds: Sequence[Round], stack: str, figure: str) -> float | None:
    """The median over the rounds of one figure of one stack."""
    values = [getattr(each[stack], figure) for each in rounds]
    return None if None in values else median(values)


def _upload_memory(rounds: Sequence[Round]) -> str:
    """The listener's memory around a large upload, medians of the rounds, as a sentence."""
    figures = [asdict(found) for each in rounds if (found := each["atom"].upload) is not None]
    before, during, after = (
        None
        if any(each[name] is None for each in figures)
        else median(each[name] for each in figures)
        for name in ("before_mb", "during_mb", "after_mb")
    )
    return (
        f"Listener memory around an upload of {MEBIBYTES} MiB, all its processes: "
        f"{text(before, '.1f')} MiB before, at most {text(during, '.1f')} MiB during, "
        f"{text(after, '.1f')} MiB after."
    )


@dataclass(frozen=True, slots=True)
class _Clocks:
    """Seconds since whenever; only differences mean something."""

    wall: float
    own: float
    stack: float | None
    machine: float | None

    @classmethod
    def read(cls, stack: Stack) -> Self:
        return cls(
            time.perf_counter(), time.process_time(), stack.cpu_seconds(), machine_cpu_seconds()
        )


async def _measure(scene: Scene, parameters: Parameters) -> Figures:
    await scene.warm(parameters.concurrency)
    before = _Clocks.read(scene.stack)
    load = await scene.send(parameters.flows, parameters.concurrency)
    after = _Clocks.read(scene.stack)
    trips = await asyncio.to_thread(round_trips, scene.stack, parameters.round_trips)
    is_atom = scene.stack.name == "atom"
    uploaded = await asyncio.to_thread(upload, scene.stack) if is_atom else None
    return _figures(load, (before, after), parameters.flows, trips, uploaded)


def _figures(
    load: LoadFigures,
    clocks: tuple[_Clocks, _Clocks],
    flows: int,
    trips: RoundTripFigures,
    uploaded: UploadFigures | None,
) -> Figures:
    before, after = clocks
    own = after.own - before.own
    used = _difference(before.stack, after.stack)
    busy = _difference(before.machine, after.machine)
    elsewhere = None
    if used is not None and busy is not None:
        elsewhere = max(0.0, busy - used - own) / (after.wall - before.wall)
    return Figures(
        accept_p50_ms=load.accept.p50_ms,
        accept_p99_ms=load.accept.p99_ms,
        accepted_per_second=load.accepted_per_second,
        flows_per_second=load.flows_per_second,
        cpu_ms_per_flow=None if used is None else used * 1000 / flows,
        load_generator_cpu_ms_per_flow=own * 1000 / flows,
        cores_busy_elsewhere=elsewhere,
        round_trip_p50_ms=trips.p50_ms,
        round_trip_p99_ms=trips.p99_ms,
        round_trips_per_second=trips.per_second,
        upload=uploaded,
    )


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
