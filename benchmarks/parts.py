"""What each part of the benchmark is given, and what it has to give."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

from rich.table import Table

Ratios = Mapping[str, float | None]
"""Under the names of the result file; None where the system does not tell."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one asked for."""

    flows: int
    concurrency: int
    round_trips: int
    rounds: int
    quiet_seconds: int
    in_flight: Sequence[int]
    wait_seconds: int
    history: Sequence[int]
    flood: int


class Found(Protocol):
    """The figures of one part."""

    def figures(self) -> Any:
        """What the result file holds of them."""

    def ratios(self) -> Ratios:
        """Those that can be compared from run to run."""

    def shown(self) -> Iterable[Table | str]:
        """Tables and sentences for people."""


Measure = Callable[[Parameters, Say], Found]
"""Runs a part; raises BenchmarkError where it is not valid."""


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """One figure against another; None where there is nothing to compare."""
    return None if ours is None or not theirs else ours / theirs


def median_ratio(pairs: Iterable[tuple[float | None, float | None]]) -> float | None:
    """The median of the ratios of pairs that were measured together; None where one is."""
    ratios: list[float] = []
    for ours, theirs in pairs:
        found = ratio(ours, theirs)
        if found is None:
            return None
        ratios.append(found)
    return median(ratios)


def table(title: str, first: str, *headings: str) -> Table:
    """An empty table whose figures stand to the right."""
    shown = Table(title=title)
    shown.add_column(first)
    for heading in headings:
        shown.add_column(heading, justify="right")
    return shown


def text(value: float | None, form: str) -> str:
    """A figure, or a dash where the system does not tell it."""
    return "–" if value is None else format(value, form)
