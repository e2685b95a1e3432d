"""What the benchmarks' commands have in common: arguments, and how they end."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from atom.errors import AtomError
from benchmarks.errors import BenchmarkError

RESULTS: Final = Path(__file__).resolve().parent / "results"


def default_result(prefix: str = "") -> Path:
    """A result file of this moment."""
    return RESULTS / f"{prefix}{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}.json"


def positive(text: str) -> int:
    """A whole number of at least one.

    Raises:
        ArgumentTypeError: it is none.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


@contextlib.contextmanager
def running_to_the_end(program: str) -> Iterator[None]:
    """End the process with 1 and one sentence where the block cannot go to its end."""
    # So that the stacks are ended, as at Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except BenchmarkError as error:
        _fail(program, f"The run is not valid: {error}", error.details)
    except (AtomError, OSError) as error:
        _fail(program, str(error))
    except KeyboardInterrupt:
        _fail(program, "Interrupted; there is no result.")


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _fail(program: str, sentence: str, details: str = "") -> NoReturn:
    if details:
        print(details, file=sys.stderr)
    print(f"{program}: {sentence}", file=sys.stderr)
    sys.exit(1)
