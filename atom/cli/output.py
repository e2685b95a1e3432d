"""How the commands print."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import click
import orjson
from rich.console import Console

_WIDTH: Final = 160


def wide_console() -> Console:
    """A console that does not cut ids where its output goes into a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def print_json(document: Any) -> None:
    """One JSON document, for programs."""
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())


def finish_with(told: Sequence[tuple[str, bool, str]], *, as_json: bool) -> None:
    """Say for each execution id whether it was done, and what came of it.

    The exit code is 1 where one was not done.
    """
    if as_json:
        print_json([{"id": id, "done": done, "message": message} for id, done, message in told])
    for id, done, message in () if as_json else told:
        click.echo(f"{id}: {message}", err=not done)
    if not all(done for _, done, _ in told):
        sys.exit(1)
