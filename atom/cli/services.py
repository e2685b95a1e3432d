"""`atom services`: the declared services and their actions."""

import orjson
from click import command, echo, option
from rich.table import Table

from atom.catalog import load_catalog
from atom.cli.output import wide_console
from atom.durations import duration
from atom.object_process import ObjectProcess
from atom.protocol.objects import Entry
from atom.settings import Settings


def _entries(entries: tuple[Entry, ...]) -> str:
    return ", ".join(f"{each.name}{'*' if each.required else ''}" for each in entries) or "–"


@command()
@option("--json", "as_json", is_flag=True, help="The metadata of every service, as flows get it.")
def services(as_json: bool) -> None:
    """List the declared services and their actions."""
    catalog = load_catalog(Settings.from_env().services)
    if as_json:
        described = {name: service.describe() for name, service in catalog.services.items()}
        echo(orjson.dumps(described, option=orjson.OPT_INDENT_2))
        return
    for service in catalog.services.values():
        table = Table(
            title=f"{service.name}  {service.path}\n{service.summary}",
            title_justify="left",
            caption="* required" if service.processes else "no actions",
            caption_justify="left",
        )
        for heading in ("Action", "Inputs", "Outputs", "Queue", "Sync", "Timeout"):
            table.add_column(heading)
        for process in service.message_processes.values():
            table.add_row(
                process.action,
                _entries(process.inputs),
                _entries(process.outputs),
                process.options.queue,
                duration(process.options.sync_timeout),
                duration(process.options.timeout),
            )
        for each in service.processes.values():
            if isinstance(each, ObjectProcess):
                table.add_row(
                    each.action,
                    "",
                    _entries(each.object_type.entries),
                    each.options.queue,
                    "always",
                    duration(each.options.timeout),
                )
        wide_console().print(table)
