"""`python -m benchmarks`: measure both stacks, show the table, keep the result."""

import argparse
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks.command import default_result, positive, running_to_the_end
from benchmarks.floor import measure_floor
from benchmarks.report import floor, memory, table, write
from benchmarks.rounds import Parameters, run_rounds


def main() -> None:
    """Exit with 0 only if every round was valid and the result was written."""
    arguments = _arguments()
    parameters = Parameters(
        arguments.flows,
        arguments.concurrency,
        arguments.round_trips,
        arguments.quiet_flows,
        arguments.rounds,
    )
    console = Console(highlight=False)
    say: Callable[[str], None] = console.print
    with running_to_the_end("benchmarks"):
        rounds = run_rounds(parameters, say)
        floors = [measure_floor(parameters) for _ in rounds]
        console.print(table(rounds, parameters))
        console.print(floor(rounds, floors))
        console.print(memory(rounds))
        write(arguments.json, rounds, floors, parameters)
    say(f"Written to {arguments.json}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--flows", type=positive, default=2000, help="in each round (2000)")
    parser.add_argument("--concurrency", type=positive, default=32, help="connections (32)")
    parser.add_argument(
        "--round-trips", type=positive, default=1000, help="in each round, one at a time (1000)"
    )
    parser.add_argument(
        "--quiet-flows", type=positive, default=100, help="in each round, 20 in a second (100)"
    )
    parser.add_argument("--rounds", type=positive, default=3, help="of both stacks (3)")
    parser.add_argument(
        "--json",
        type=Path,
        default=default_result(),
        help="where to write the result (benchmarks/results/<UTC time>.json)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
