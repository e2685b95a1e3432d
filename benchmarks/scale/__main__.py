"""`python -m benchmarks.scale`: measure, show the tables, keep the result."""

import argparse
import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console

from benchmarks.command import default_result, positive, running_to_the_end
from benchmarks.proc import cpu_seconds_elsewhere
from benchmarks.scale.capacity import capacity
from benchmarks.scale.flight import Fleet, flight
from benchmarks.scale.linear import linear
from benchmarks.scale.report import ScaleFigures, document, tables

_MOST_PROCESSES: Final = 4
_BUSY_CORES: Final = 0.25
_WIDTH: Final = 110  # of the widest table, also where there is no terminal


def main() -> None:
    """Exit with 0 only if every part was valid and the result was written."""
    arguments = _arguments()
    console = Console(highlight=False, width=_WIDTH)
    with running_to_the_end("benchmarks.scale"):
        figures = measure(arguments, console.print)
        for table in tables(figures):
            console.print(table)
        if (figures.cores_busy_elsewhere or 0) > _BUSY_CORES:
            console.print(
                f"NOTE: other programs kept {figures.cores_busy_elsewhere:.1f} cores busy "
                "meanwhile; measure again on a quiet machine."
            )
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        parameters = {"flows": arguments.flows, "rounds": arguments.rounds}
        content = orjson.dumps(document(figures, parameters), option=orjson.OPT_INDENT_2)
        arguments.json.write_bytes(content + b"\n")
        console.print(f"Written to {arguments.json}")


def measure(arguments: argparse.Namespace, say: Callable[[str], Any]) -> ScaleFigures:
    """Run every part, saying what is running.

    Raises:
        BenchmarkError: a part is not valid; then there is no result at all.
    """
    before, begin = cpu_seconds_elsewhere(), time.monotonic()
    say(f"What one process of each role carries: {arguments.flows} flows …")
    carried = asyncio.run(capacity(arguments.flows))
    say(f"1 to {_MOST_PROCESSES} worker processes …")
    line = asyncio.run(linear(_MOST_PROCESSES, arguments.rounds))
    flights = []
    for fleet in (
        Fleet("threads", 2, arguments.threads, 2 * 2 * arguments.threads),
        Fleet("prefork", 1, arguments.children, 2 * arguments.children),
    ):
        say(f"{fleet.flows} flows that wait, in {fleet.workers} × {fleet.concurrency} of them …")
        flights.append(asyncio.run(flight(fleet)))
    after, seconds = cpu_seconds_elsewhere(), time.monotonic() - begin
    elsewhere = None if before is None or after is None else max(0, after - before) / seconds
    return ScaleFigures(carried, line, flights, elsewhere)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--flows", type=positive, default=3000, help="for each role (3000)")
    parser.add_argument(
        "--rounds", type=positive, default=40, help="for each worker process (40), of 200 ms"
    )
    parser.add_argument(
        "--threads", type=positive, default=600, help="in each of two workers (600)"
    )
    parser.add_argument("--children", type=positive, default=32, help="of a prefork worker (32)")
    parser.add_argument(
        "--json",
        type=Path,
        default=default_result("scale-"),
        help="where to write the result (benchmarks/results/scale-<UTC time>.json)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
