"""`python -m benchmarks`: measure both stacks, show the table, keep the result."""

import argparse
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from atom.errors import AtomError
from benchmarks.errors import BenchmarkError
from benchmarks.report import memory, table, write
from benchmarks.rounds import Parameters, run_rounds


def main() -> None:
    """Exit with 0 only if every round was valid and the result was written."""
    arguments = _arguments()
    parameters = Parameters(
        arguments.flows, arguments.concurrency, arguments.round_trips, arguments.rounds
    )
    # So that the stacks are ended, as at Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False)
    say: Callable[[str], None] = console.print
    try:
        rounds = run_rounds(parameters, say)
        console.print(table(rounds, parameters))
        console.print(memory(rounds))
        write(arguments.json, rounds, parameters)
    except BenchmarkError as error:
        _fail(f"The run is not valid: {error}", error.details)
    except (AtomError, OSError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("Interrupted; there is no result.")
    say(f"Written to {arguments.json}")


def _arguments() -> argparse.Namespace:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    results = Path(__file__).resolve().parent / "results"
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--flows", type=_positive, default=2000, help="in each round (2000)")
    parser.add_argument("--concurrency", type=_positive, default=32, help="connections (32)")
    parser.add_argument(
        "--round-trips", type=_positive, default=1000, help="in each round, one at a time (1000)"
    )
    parser.add_argument("--rounds", type=_positive, default=3, help="of both stacks (3)")
    parser.add_argument(
        "--json",
        type=Path,
        default=results / f"{stamp}.json",
        help="where to write the result (benchmarks/results/<UTC time>.json)",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _fail(sentence: str, details: str = "") -> NoReturn:
    if details:
        print(details, file=sys.stderr)
    print(f"benchmarks: {sentence}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
