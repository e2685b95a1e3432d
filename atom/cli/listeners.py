"""`atom listeners`: what takes requests, and what is paused."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click
from rich import box
from rich.table import Table

from atom.catalog import Catalog, load_catalog
from atom.cli.output import print_json, wide_console
from atom.cli.running import settings_of_running
from atom.errors import AtomError
from atom.store import RedisStore

_EVERYTHING = "*"


@click.group()
def listeners() -> None:
    """Pause and resume what flows may ask for."""


@listeners.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(as_json: bool) -> None:
    """List every action: whether it takes requests, and who would run them."""
    settings = settings_of_running()
    store = RedisStore(settings)
    found = list(_states(load_catalog(settings.services), store))
    if as_json:
        print_json(found)
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Action", "State", "Since (UTC)", "Queue", "Workers seen lately"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        since = each["paused_since"]
        table.add_row(
            f"{each['service']}.{each['action']}",
            "paused" if since else "listening",
            f"{since:%Y-%m-%d %H:%M:%S}" if since else "",
            each["queue"],
            str(len(each["workers"])) if each["workers"] else "none",
        )
    wide_console().print(table)


@listeners.command()
@click.argument("target", required=False)
def pause(target: str | None) -> None:
    """Refuse new requests of TARGET, a SERVICE or SERVICE.ACTION; without one, of everything.

    Flows get 503 with Retry-After; what was accepted goes on, and metadata is still answered.
    """
    store, known = _open(target)
    store.pause(known)
    click.echo(f"{_named(known)} takes no new requests; what runs goes on.", err=True)


@listeners.command()
@click.argument("target", required=False)
def resume(target: str | None) -> None:
    """Take requests of TARGET again: what `pause` was told."""
    store, known = _open(target)
    if not store.resume(known):
        click.echo(f"{_named(known)} was not paused.", err=True)
    still = [each for each in store.paused() if _covers(each, known) or _covers(known, each)]
    for each in still:
        click.echo(f"{_named(each)} is still paused by itself.", err=True)
    if not still:
        click.echo(f"{_named(known)} takes requests.", err=True)


def _open(target: str | None) -> tuple[RedisStore, str]:
    """The store, and the target as it is written there.

    Raises:
        AtomError: no service declares it.
    """
    settings = settings_of_running()
    if target is None:
        return RedisStore(settings), _EVERYTHING
    catalog = load_catalog(settings.services)
    actions = [process.task_name for process in catalog.processes()]
    if target not in catalog.services and target not in actions:
        raise AtomError(
            f"No service or action is called “{target}”; there are: "
            f"{', '.join([*catalog.services, *actions])}."
        )
    return RedisStore(settings), target


def _states(catalog: Catalog, store: RedisStore) -> Iterator[dict[str, Any]]:
    paused = store.paused()
    queues = {each.options.queue for each in catalog.processes()}
    workers = {queue: store.present(queue) for queue in queues}
    for process in catalog.processes():
        yield {
            "service": process.service,
            "action": process.action,
            "paused_since": _paused_since(paused, process.service, process.task_name),
            "queue": process.options.queue,
            "workers": list(workers[process.options.queue]),
        }


def _paused_since(paused: Mapping[str, datetime], *targets: str) -> datetime | None:
    return min((paused[each] for each in (_EVERYTHING, *targets) if each in paused), default=None)


def _covers(target: str, other: str) -> bool:
    return target == _EVERYTHING or other == target or other.startswith(f"{target}.")


def _named(target: str) -> str:
    return "Every service" if target == _EVERYTHING else f"“{target}”"
