"""`atom callbacks`: those that wait for a person."""

import sys
from dataclasses import asdict
from datetime import datetime
from typing import Final

import click
from rich import box
from rich.progress import Progress
from rich.table import Table

from atom.cli.output import finish_with, print_done, print_json, wide_console
from atom.cli.running import settings_of_running
from atom.cli.when import When
from atom.execution import operating
from atom.store import RedisStore, open_store

_AT_ONCE: Final = 1_000_000


_host = click.option("--host", default="", help="Only those to this host (or host:port).")
_since = click.option(
    "--since", type=When(), help="Only those parked since then: 2026-01-31T08:00, or 30m, 2h, 7d."
)


@click.group()
def callbacks() -> None:
    """Look at callbacks that were given up, and send them again."""


@callbacks.command(name="list")
@_host
@_since
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(host: str, since: datetime | None, limit: int, as_json: bool) -> None:
    """List the parked callbacks, the longest parked first."""
    found = RedisStore(settings_of_running()).parked(limit, host=host, since=since)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Execution", "Process", "Host", "Parked (UTC)", "Last answer"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        table.add_row(
            each.execution_id,
            f"{each.service}.{each.action}",
            each.host,
            f"{each.parked_at:%Y-%m-%d %H:%M:%S}",
            each.answer,
        )
    wide_console().print(table if found else "No callback is parked.")


@callbacks.command()
@click.argument("execution_ids", metavar="[ID…]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every parked one (of --host, --since).")
@_host
@_since
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def replay(
    execution_ids: tuple[str, ...],
    everything: bool,
    host: str,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Send callbacks now: those of the executions named, or all parked ones that a choice finds.

    An id may also be that of a callback that waits for its next try, or that the flow took while it
    waited for something else. The callback goes out although its host is left alone for a while.
    """
    chosen = everything or bool(host) or since is not None
    if bool(execution_ids) == chosen:
        raise click.UsageError(
            "Name the executions, or choose with --host, --since or --all (not both)."
        )
    store = open_store(settings_of_running())
    if execution_ids:
        finish_with([operating.replay(store, each) for each in execution_ids], as_json=as_json)
        return
    found = store.parked(_AT_ONCE, host=host, since=since)
    with Progress(disable=as_json or not sys.stderr.isatty(), transient=True) as progress:
        ids = progress.track([each.execution_id for each in found], description="Replaying")
        replayed = [done for each in ids if (done := operating.replay(store, each)).is_done]
    if as_json:
        print_done(replayed)
    else:
        click.echo(f"{len(replayed)} callback(s) will be sent again soon.")
