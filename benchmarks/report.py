"""The result: a table for people, a JSON file for comparing later."""

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson
from rich.table import Table

from atom.cli.embedded_redis import find_redis_server
from benchmarks.floor import FloorFigures, over_the_floor
from benchmarks.rounds import RATIOS, Parameters, Round, compare, middle
from benchmarks.upload import MEBIBYTES

_LIBRARIES: Final = (
    "flow-atom",
    "celery",
    "kombu",
    "redis",
    "flask",
    "gunicorn",
    "marshmallow",
    "orjson",
    "urllib3",
    "requests",
)
_LABELS: Final = {
    "accept_p50": "Accept, p50 (ms)",
    "accept_p99": "Accept, p99 (ms)",
    "accepted_per_second": "Accepted per second",
    "accept_alone_p50": "Accept, one caller, p50 (ms)",
    "accept_crowd_p50": "Accept, 256 at once, p50 (ms)",
    "accept_crowd_p99": "Accept, 256 at once, p99 (ms)",
    "flows_per_second": "Flows per second",
    "quiet_p50": "Request to callback, 20 a second, p50 (ms)",
    "quiet_p99": "Request to callback, 20 a second, p99 (ms)",
    "cpu_ms_per_flow": "CPU per flow (ms)",
    "round_trip_p50": "Round trip, p50 (ms)",
    "round_trip_p99": "Round trip, p99 (ms)",
    "round_trips_per_second": "Round trips per second",
}
_HIGHER_IS_BETTER: Final = {"accepted_per_second", "flows_per_second", "round_trips_per_second"}


def table(rounds: Sequence[Round], parameters: Parameters) -> Table:
    """Each figure of both stacks (medians) and their ratio (the median of the ratios)."""
    shown = Table(
        title=f"{parameters.flows} flows, {parameters.concurrency} at once; "
        f"{parameters.round_trips} round trips, one at a time (a data action's get; a bare Celery "
        f"delay().get()); medians of {parameters.rounds} rounds"
    )
    shown.add_column("")
    for heading in ("baseline", "atom", "atom / baseline"):
        shown.add_column(heading, justify="right")
    shown.add_column("better")
    ratios = compare(rounds)
    for name, figure in RATIOS.items():
        shown.add_row(
            _LABELS[name],
            text(middle(rounds, "baseline", figure), ".1f"),
            text(middle(rounds, "atom", figure), ".1f"),
            text(ratios[name], ".2f"),
            "higher" if name in _HIGHER_IS_BETTER else "lower",
        )
    return shown


def memory(rounds: Sequence[Round]) -> str:
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


def floor(rounds: Sequence[Round], floors: Sequence[FloorFigures]) -> str:
    """Accepting beside an empty route, as a sentence."""
    ratios = over_the_floor(rounds, floors)
    return (
        "Accept, p50, as a multiple of an empty Flask route under the same gunicorn: "
        f"{text(ratios['accept_alone_p50_of_empty'], '.2f')} for one caller, "
        f"{text(ratios['accept_p50_of_empty'], '.2f')} at the table's concurrency, where workers "
        "have the same cores."
    )


def write(
    path: Path, rounds: Sequence[Round], floors: Sequence[FloorFigures], parameters: Parameters
) -> None:
    """Write the result file, with its folder where that is missing.

    Raises:
        OSError: it cannot be written.
    """
    document = {
        "ratios": compare(rounds) | over_the_floor(rounds, floors),
        "parameters": asdict(parameters),
        "machine": machine(),
        "floors": [asdict(each) for each in floors],
        "rounds": [{name: asdict(figures) for name, figures in each.items()} for each in rounds],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def machine() -> dict[str, Any]:
    """Where and with what it was measured."""
    server = subprocess.run(
        [find_redis_server(), "--version"], capture_output=True, text=True, timeout=20, check=False
    )
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "redis_server": server.stdout.strip(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def text(value: float | None, form: str) -> str:
    """A figure, or a dash where the system does not tell it."""
    return "–" if value is None else format(value, form)
