"""Where the commands print."""

from typing import Final

from rich.console import Console

_WIDTH: Final = 160


def wide_console() -> Console:
    """A console that does not cut ids where its output goes into a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)
