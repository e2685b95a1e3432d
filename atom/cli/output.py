"""How the commands print."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
import orjson
from rich.console import Console

from atom.execution.operating import Done

_WIDTH: Final = 160


def wide_console() -> Console:
    """A console that does not cut ids where its output goes into a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def print_json(document: Any) -> None:
    """One JSON document, for programs."""
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())


def print_done(done: Iterable[Done]) -> None:
    """What came of each, for programs."""
    print_json(
        [
            {"id": each.execution_id, "done": each.is_done, "message": each.message}
            | ({"copy": each.copy} if each.copy else {})
            for each in done
        ]
    )


def finish_with(done: Sequence[Done], *, as_json: bool) -> None:
    """Say for each execution what came of it.

    The exit code is 1 where one was not done.
    """
    if as_json:
        print_done(done)
    for each in () if as_json else done:
        click.echo(f"{each.execution_id}: {each.message}", err=not each.is_done)
    if not all(each.is_done for each in done):
        sys.exit(1)
