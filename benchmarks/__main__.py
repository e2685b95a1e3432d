"""`python -m benchmarks`: measure the parts one asks for, show the tables, keep the result."""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.accept import measure_accept
from benchmarks.cold import measure_cold
from benchmarks.command import default_result, positive, running_to_the_end
from benchmarks.fairness import measure_fairness
from benchmarks.in_flight import measure_in_flight
from benchmarks.long_history import measure_history
from benchmarks.memory import measure_memory
from benchmarks.noop import measure_noop
from benchmarks.parts import Found, Measure, Parameters, Say
from benchmarks.proc import cpu_seconds_elsewhere
from benchmarks.quiet import measure_quiet
from benchmarks.report import write
from benchmarks.rounds import BUSY_CORES, measure_rounds
from benchmarks.size import measure_size
from benchmarks.waiting import measure_waiting
from benchmarks.wakeup import measure_wakeup

PARTS: Final[Mapping[str, Measure]] = {
    "flows": measure_rounds,
    "accept": measure_accept,
    "quiet": measure_quiet,
    "wakeup": measure_wakeup,
    "in-flight": measure_in_flight,
    "fairness": measure_fairness,
    "size": measure_size,
    "history": measure_history,
    "memory": measure_memory,
    "cold": measure_cold,
    "noop": measure_noop,
    "waiting": measure_waiting,
}


def main() -> None:
    """Exit with 0 only if every part was valid and the result was written."""
    arguments = _arguments()
    parameters = Parameters(
        flows=arguments.flows,
        concurrency=arguments.concurrency,
        round_trips=arguments.round_trips,
        rounds=arguments.rounds,
        quiet_seconds=arguments.quiet_seconds,
        in_flight=arguments.in_flight,
        wait_seconds=arguments.wait_seconds,
        history=arguments.history,
        flood=arguments.flood,
    )
    console = Console(highlight=False)
    found: dict[str, Found] = {}
    busy: dict[str, float | None] = {}
    with running_to_the_end("benchmarks"):
        for name in arguments.only:
            found[name], busy[name] = _measure(PARTS[name], parameters, console.print)
        for part in found.values():
            for each in part.shown():
                console.print(each)
        write(arguments.json, parameters, found, busy)
    console.print(f"Written to {arguments.json}")


def _measure(measure: Measure, parameters: Parameters, say: Say) -> tuple[Found, float | None]:
    """A part, and how many cores other programs kept busy meanwhile."""
    before, begin = cpu_seconds_elsewhere(), time.monotonic()
    found = measure(parameters, say)
    after, seconds = cpu_seconds_elsewhere(), time.monotonic() - begin
    busy = None if before is None or after is None else max(0.0, after - before) / seconds
    if (busy or 0) > BUSY_CORES:
        say(f"NOTE: other programs kept {busy:.1f} cores busy; measure again on a quiet machine.")
    return found, busy


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        type=_listed(_part),
        default=list(PARTS),
        help=f"these parts, with commas between them (all: {','.join(PARTS)})",
    )
    parser.add_argument("--flows", type=positive, default=2000, help="in each round (2000)")
    parser.add_argument("--concurrency", type=positive, default=32, help="connections (32)")
    parser.add_argument(
        "--round-trips", type=positive, default=1000, help="in each round, one at a time (1000)"
    )
    parser.add_argument("--rounds", type=positive, default=5, help="of all stacks (5)")
    parser.add_argument(
        "--quiet-seconds", type=positive, default=30, help="with 20 flows in each (30)"
    )
    parser.add_argument(
        "--in-flight",
        type=_listed(positive),
        default=[1000, 10_000],
        help="so many processes that wait (1000,10000)",
    )
    parser.add_argument(
        "--wait-seconds", type=positive, default=5, help="how long each of those waits (5)"
    )
    parser.add_argument(
        "--history",
        type=_listed(_natural),
        default=[0, 100_000, 1_000_000],
        help="so many finished executions; a million takes 5 GB (0,100000,1000000)",
    )
    parser.add_argument(
        "--flood", type=positive, default=10_000, help="executions of one tenant (10000)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=default_result(),
        help="where to write the result (benchmarks/results/<UTC time>.json)",
    )
    return parser.parse_args()


def _listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [kind(each) for each in text.split(",")]


def _natural(text: str) -> int:
    return 0 if text == "0" else positive(text)


def _part(text: str) -> str:
    if text not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part {text!r}, but {', '.join(PARTS)}")
    return text


if __name__ == "__main__":
    main()
