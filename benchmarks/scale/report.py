"""The figures of a run as tables for people, and as a document."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from benchmarks.parts import table, text
from benchmarks.report import machine
from benchmarks.scale.capacity import CapacityFigures
from benchmarks.scale.flight import WAIT_SECONDS as IN_FLIGHT_SECONDS
from benchmarks.scale.flight import FlightFigures
from benchmarks.scale.linear import WAIT_SECONDS, LinearFigures


@dataclass(frozen=True, slots=True)
class ScaleFigures:
    """Everything that one run found."""

    capacity: CapacityFigures
    linear: Sequence[LinearFigures]
    flight: Sequence[FlightFigures]
    cores_busy_elsewhere: float | None
    """What other programs used meanwhile, on average."""


def document(figures: ScaleFigures, parameters: dict[str, Any]) -> dict[str, Any]:
    """What the result file holds."""
    return {"parameters": parameters, "machine": machine(), **asdict(figures)}


def tables(figures: ScaleFigures) -> list[Table]:
    """One for each question."""
    return [_roles(figures.capacity), _line(figures.linear), _pools(figures.flight)]


def _roles(found: CapacityFigures) -> Table:
    shown = table(
        "One process of each role, alone",
        *("role", "per second", "CPU (ms)", "store (ms)", "broker (ms)", "a core carries (per s)"),
    )
    for name, role in (
        ("listener", found.listener),
        ("worker", found.worker),
        ("callbacks", found.callbacks),
    ):
        shown.add_row(
            name,
            f"{role.per_second:.0f}",
            text(role.cpu_ms, ".2f"),
            text(role.store_cpu_ms, ".2f"),
            text(role.broker_cpu_ms, ".2f"),
            text(1000 / role.cpu_ms if role.cpu_ms else None, ".0f"),
        )
    shown.caption = (
        f"Redis: {found.redis_bytes_waiting / 1024:.1f} KiB for each execution that waits, "
        f"{found.redis_bytes_finished / 1024:.1f} KiB for each that has ended; "
        f"{found.network_bytes / 1024:.1f} KiB to and from it for each"
    )
    return shown


def _line(found: Sequence[LinearFigures]) -> Table:
    shown = table(
        f"A process that waits {WAIT_SECONDS * 1000:.0f} ms",
        *("it", "worker processes", "per second", "of linear"),
    )
    for each in sorted(found, key=lambda each: each.kind):
        shown.add_row(
            each.kind, str(each.processes), f"{each.per_second:.2f}", f"{each.of_linear:.3f}"
        )
    return shown


def _pools(found: Sequence[FlightFigures]) -> Table:
    shown = table(
        f"A process that waits {IN_FLIGHT_SECONDS:.0f} s on HTTP",
        *("pool", "workers × concurrency", "most in flight", "per second"),
        *("memory (MiB)", "each (MiB)", "CPU each (ms)", "leases lost"),
    )
    for each in found:
        shown.add_row(
            each.pool,
            f"{each.workers} × {each.concurrency}",
            str(each.most_in_flight),
            f"{each.per_second:.0f}",
            text(each.memory_mb, ".0f"),
            text(each.memory_mb_each, ".2f"),
            text(each.cpu_ms_each, ".1f"),
            str(each.leases_lost),
        )
    return shown
