"""`atom listeners`: what takes requests, and what is paused."""

from collections.abc import Iterator
from typing import Any

import click
from rich import box
from rich.table import Table

from atom.catalog import Catalog, load_catalog
from atom.cli.output import print_json, wide_console
from atom.cli.running import settings_of_running
from atom.execution import pausing
from atom.settings import Settings
from atom.store import RedisStore

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
    store = RedisStore(settings)
    # Everything can be paused whatever is declared here.
    told = pausing.pause(_catalog(settings, target), store, target)
    if as_json:
        print_json(store.paused())
    else:
        click.echo(told)


@listeners.command()
@click.argument("target", required=False)
@_json
def resume(target: str | None, as_json: bool) -> None:
    """Take requests of TARGET again: what `pause` was told.

    An action that was paused by itself stays so when its service is resumed.
    """
    settings = settings_of_running()
    store = RedisStore(settings)
    told = pausing.resume(_catalog(settings, target), store, target)
    if as_json:
        print_json(store.paused())
        return
    for line in told:
        click.echo(line)


def _states(catalog: Catalog, store: RedisStore) -> Iterator[dict[str, Any]]:
    paused = store.paused()
    workers = {queue: store.present(queue) for queue in catalog.queues()}
    for process in catalog.processes():
        yield {
            "service": process.service,
            "action": process.action,
            "paused_since": pausing.paused_since(paused, process.service, process.action),
            "queue": process.options.queue,
            "workers": list(workers[process.options.queue]),
        }


def _catalog(settings: Settings, target: str | None) -> Catalog:
    """What is declared, where a name is to be looked up in it."""
    return Catalog([]) if target is None else load_catalog(settings.services, required=False)
