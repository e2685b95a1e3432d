"""`atom status`: how it stands with everything, and what is wrong with it."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from atom.catalog import load_catalog
from atom.cli.output import print_json, wide_console
from atom.cli.running import settings_of_running
from atom.durations import duration
from atom.errors import CatalogError, StoreUnavailable
from atom.history import HistoryFacts
from atom.names import CALLBACKS
from atom.publisher import Publisher
from atom.records import ServerFacts
from atom.status import Finding, Severity, Situation, judge, megabytes, take_stock
from atom.store import open_store

_STORE_SECONDS: Final = 5.0
_MARKS: Final = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}
_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status(as_json: bool) -> None:
    """Show roles, queues, executions, callbacks and Redis, and what is wrong with them.

    The exit code is 0 where nothing is wrong, 1 where something needs a person, and 2 where the
    store does not answer, so that nothing is known.
    """
    settings = settings_of_running()
    try:
        # Where the services cannot be loaded, the queues that are in use are shown all the same.
        queues = load_catalog(settings.services, required=False).queues()
    except CatalogError as error:
        click.echo(f"atom: {error}", err=True)
        queues = set()
    store = open_store(settings, within_seconds=_STORE_SECONDS)
    try:
        situation = take_stock(store, Publisher(settings.broker).waiting, queues)
    except StoreUnavailable as error:
        if as_json:
            print_json({"store": str(error)})
        click.echo(f"atom: {error}", err=True)
        sys.exit(2)
    findings = judge(situation)
    if as_json:
        print_json(_document(situation, findings))
    else:
        _print(situation, findings)
    if any(each.severity.needs_a_person for each in findings):
        sys.exit(1)


def _print(situation: Situation, findings: Sequence[Finding]) -> None:
    console = wide_console()
    console.print(_roles(situation), _queues(situation), sep="\n")
    for line in _lines(situation):
        console.print(line, highlight=False)
    console.print(_server(situation.facts), highlight=False)
    _print_findings(console, findings)


def _print_findings(console: Console, findings: Sequence[Finding]) -> None:
    console.print()
    if not findings:
        console.print("Nothing is wrong.", style="green")
    for each in findings:
        # One line each, however long, so that a command can be copied.
        console.print(
            f"{_MARKS[each.severity]} {each}",
            style=_STYLES[each.severity],
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _roles(situation: Situation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Role", "Instance", "Host", "Since (UTC)", "Seen", "Version", "Busy", "Serves"):
        table.add_column(heading, no_wrap=heading != "Serves")
    for each in situation.presences:
        details = each.details
        busy = f"{details['busy']}/{details['concurrency']}" if "concurrency" in details else ""
        table.add_row(
            each.role,
            each.instance.partition("@")[0],
            details["host"],
            details["since"].replace("T", " ").removesuffix("+00:00"),
            f"{duration(round(situation.age(each)))} ago",
            details["version"],
            busy,
            details["services"],
        )
    return table


def _queues(situation: Situation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Queue", "Waiting", "Oldest", "Messages", "Workers", "Busy"):
        table.add_column(heading, no_wrap=True)
    for each in _queue_states(situation):
        table.add_row(
            each["queue"],
            "" if each["waiting"] is None else str(each["waiting"]),
            _ago(situation, each["oldest_at"]),
            "?" if each["messages"] is None else str(each["messages"]),
            str(each["workers"]),
            f"{each['busy']}/{each['concurrency']}",
        )
    return table


def _queue_states(situation: Situation) -> list[dict[str, Any]]:
    """Each queue; what waits is known of those of processes only."""
    states = []
    for queue in [*situation.served(), CALLBACKS]:
        of_processes = queue != CALLBACKS
        state, (busy, concurrency) = situation.waiting(queue), situation.places(queue)
        states.append(
            {
                "queue": queue,
                "waiting": state.waiting if of_processes else None,
                "oldest_at": state.oldest_at,
                "messages": None if situation.messages is None else situation.messages.get(queue),
                "workers": len(situation.workers(queue)),
                "busy": busy,
                "concurrency": concurrency,
            }
        )
    return states


def _lines(situation: Situation) -> list[str]:
    overview = situation.overview
    waiting = sum(each.waiting for each in overview.queues.values())
    ended = ", ".join(f"{count} {name}" for name, count in overview.finished.items()) or "none"
    late = _ago(situation, overview.callbacks_late_since)
    circuits = ", ".join(sorted(overview.open_circuits)) or "none"
    return [
        f"Executions  {waiting} waiting, {overview.scheduled} scheduled, "
        f"{overview.suspended} suspended, {overview.running} held "
        f"({overview.lost} by a lease that ran out), {overview.overdue_deadlines} overdue",
        f"Finished    {ended}; {overview.taken_over} taken over from a lost worker",
        f"Callbacks   {overview.callbacks_due} due, late since {late or 'never'}, "
        f"{overview.parked} parked; open circuits: {circuits}",
        f"Paused      {', '.join(sorted(overview.paused)) or 'nothing'}",
        f"History     {overview.stored} in Redis{_moved(situation.history)}",
    ]


def _moved(history: HistoryFacts | None) -> str:
    if history is None:
        return ""
    return f", {'?' if history.executions is None else history.executions} in {history.where}"


def _server(facts: ServerFacts | None) -> str:
    if facts is None:
        return "Redis       unknown: the Redis user may not run INFO"
    room = megabytes(facts.max_bytes) if facts.max_bytes else "no limit"
    return (
        f"Redis       {facts.version}, {megabytes(facts.used_bytes)} of {room} "
        f"({facts.policy or 'policy unknown'}), append-only file "
        f"{'on' if facts.is_append_only else 'off'}, {facts.clients} clients"
    )


def _ago(situation: Situation, moment: datetime | None) -> str:
    if moment is None:
        return ""
    return f"{duration(round((situation.overview.at - moment).total_seconds()))} ago"


def _document(situation: Situation, findings: Sequence[Finding]) -> dict[str, Any]:
    overview = asdict(situation.overview)
    overview.pop("queues")
    return {
        "roles": [
            {
                "role": each.role,
                "instance": each.instance,
                "seen_at": each.seen_at,
                "seen_seconds_ago": round(situation.age(each), 1),
                **dict(each.details),
            }
            for each in situation.presences
        ],
        "queues": _queue_states(situation),
        **overview,
        "finished": situation.overview.finished,
        "redis": asdict(situation.facts) if situation.facts else None,
        "history": asdict(situation.history) if situation.history else None,
        "broker_problem": situation.broker_problem,
        "store_problem": situation.store_problem,
        "findings": [asdict(each) for each in findings],
    }
