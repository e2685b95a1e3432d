"""What the processes under chaos write about themselves: one line for each thing that happened.

One file per process group, opened to append; a line is one write call, so that lines of processes
that are killed are whole or not there at all.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

DIRECTORY: Final = "CHAOS_LINES"
"""The environment variable that names the directory of the files."""

BEGAN, FINISHED, RECORDED = "began", "finished", "recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something that happened to one run of a process (without a name) or of a step's body."""

    kind: str  # began, finished; recorded: the process went on with what the journal has
    execution: str
    attempt: int
    name: str
    run: str  # of the body; new each time it is run
    at: float  # the monotonic clock, which all processes of a machine share
    group: int  # the process group: which worker
    pid: int


def write(kind: str, execution: str, attempt: int, name: str, run: str) -> None:
    """Append a line."""
    group = os.getpgrp()
    line = Line(
        kind=kind,
        execution=execution,
        attempt=attempt,
        name=name,
        run=run,
        at=time.monotonic(),
        group=group,
        pid=os.getpid(),
    )
    path = Path(os.environ[DIRECTORY]) / f"{group}.lines"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, orjson.dumps(asdict(line)) + b"\n")
    finally:
        os.close(descriptor)


def read(directory: Path) -> Iterator[Line]:
    """Every line of every process group."""
    for path in sorted(directory.glob("*.lines")):
        for each in path.read_bytes().splitlines():
            yield Line(**orjson.loads(each))
