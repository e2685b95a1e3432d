"""`atom executions`: what was accepted and what became of it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
import orjson
from rich import box
from rich.table import Table

from atom.cli.output import wide_console
from atom.cli.running import settings_of_running
from atom.errors import AtomError
from atom.records import Execution, State
from atom.store import RedisStore


@click.group()
def executions() -> None:
    """Look at executions."""


@executions.command(name="list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--state", type=click.Choice([state.value for state in State]))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(limit: int, state: str | None, as_json: bool) -> None:
    """List the newest executions."""
    store = RedisStore(settings_of_running())
    found = store.newest(limit, State(state) if state else None)
    if as_json:
        _print_json([_document(each, full=False) for each in found])
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Execution", "Process", "State", "Accepted (UTC)", "Took", "Callback"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        table.add_row(
            each.id,
            f"{each.service}.{each.action}",
            each.state.value,
            _clock(each.accepted_at),
            _took(each),
            each.callback_state.value,
        )
    wide_console().print(table if found else "No executions.")


@executions.command()
@click.argument("execution_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def show(execution_id: str, as_json: bool) -> None:
    """Show one execution: its times, steps, documents and callback tries."""
    execution = RedisStore(settings_of_running()).get(execution_id)
    if execution is None:
        raise AtomError(f"There is no execution {execution_id} (or it has outlived its retention).")
    if as_json:
        _print_json(_document(execution, full=True))
        return
    console = wide_console()
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _document(execution, full=False).items():
        if value not in (None, ""):
            shown = _clock(value) if isinstance(value, datetime) else str(value)
            facts.add_row(name.replace("_", " "), shown)
    console.print(facts)
    for position, step in enumerate(execution.steps, 1):
        console.print(f"step {position}: {step}", highlight=False, markup=False)
    for attempt in execution.callback_attempts:
        answered = f"{attempt.status or ''} {attempt.answer}".strip()
        console.print(
            f"callback ({attempt.kind}) {_clock(attempt.at)}: {answered} "
            f"in {attempt.milliseconds} ms",
            highlight=False,
            markup=False,
        )
    for name, document in (("request", execution.request), ("response", execution.response)):
        if document is not None:
            console.rule(name, align="left")
            console.print_json(data=document)


def _document(execution: Execution, *, full: bool) -> dict[str, Any]:
    document = asdict(execution)
    if not full:
        for name in ("request", "response", "steps", "callback_attempts"):
            del document[name]
    return document


def _print_json(document: Any) -> None:
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _took(execution: Execution) -> str:
    if execution.finished_at is None:
        return "–"
    return f"{(execution.finished_at - execution.accepted_at).total_seconds():.2f} s"
