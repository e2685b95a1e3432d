"""`atom listeners`: what takes requests, and what is paused."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import click
from rich import box
from rich.table import Table

from atom.catalog import Catalog, load_catalog
from atom.cli.output import print_json, wide_console
from atom.cli.running import settings_of_running
from atom.errors import AtomError
from atom.store import RedisStore

_EVERYTHING: Final = "*"

_json = click.option("--json", "as_json", is_flag=True, help="As JSON: what is paused now.")


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
@_json
def pause(target: str | None, as_json: bool) -> None:
    """Refuse new requests of TARGET, a SERVICE or SERVICE.ACTION; without one, of everything.

    Flows get 503 with Retry-After; what was accepted goes on, and metadata is still answered.
    """
    settings = settings_of_running()
    store, known = RedisStore(settings), _EVERYTHING if target is None else target
    if target is not None:
        _check(target, load_catalog(settings.services))
    store.pause(known)
    if as_json:
        print_json(store.paused())
        return
    click.echo(f"{_named(known)} takes no new requests; what runs goes on.")


@listeners.command()
@click.argument("target", required=False)
@_json
def resume(target: str | None, as_json: bool) -> None:
    """Take requests of TARGET again: what `pause` was told.

    An action that was paused by itself stays so when its service is resumed.
    """
    settings = settings_of_running()
    store, known = RedisStore(settings), _EVERYTHING if target is None else target
    was_paused = store.resume(known)
    # What is paused can be resumed even though no service declares it any more.
    if not was_paused and target is not None:
        _check(target, load_catalog(settings.services))
    paused = store.paused()
    if as_json:
        print_json(paused)
        return
    if not was_paused:
        click.echo(f"{_named(known)} was not paused.")
    within = [each for each in paused if _covers(each, known)]
    for each in within:
        click.echo(f"{_named(each)} is still paused, and {_named(known)} with it.")
    if not within:
        click.echo(f"{_named(known)} takes requests.")
    for each in paused:
        if _covers(known, each):
            click.echo(f"{_named(each)} is still paused by itself.")


def _check(target: str, catalog: Catalog) -> None:
    """Refuse a target that no service declares.

    Raises:
        AtomError: it names those that there are.
    """
    actions = [process.task_name for process in catalog.processes()]
    if target not in catalog.services and target not in actions:
        raise AtomError(
            f"No service or action is called “{target}”; there are: "
            f"{', '.join([*catalog.services, *actions])}."
        )


def _states(catalog: Catalog, store: RedisStore) -> Iterator[dict[str, Any]]:
    paused = store.paused()
    workers = {queue: store.present(queue) for queue in catalog.queues()}
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
    return target == _EVERYTHING or other.startswith(f"{target}.")


def _named(target: str) -> str:
    return "Every service" if target == _EVERYTHING else f"“{target}”"
