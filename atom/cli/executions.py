"""`atom executions`: what was accepted, what became of it, and what to do about that."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import click
from rich import box
from rich.markup import escape
from rich.table import Table

from atom.catalog import load_catalog
from atom.cli.caller import operator_name
from atom.cli.output import finish_with, print_json, wide_console
from atom.cli.retrying import retry
from atom.cli.running import settings_of_running
from atom.cli.when import When
from atom.durations import duration
from atom.errors import AtomError, MalformedRequest
from atom.execution import advice, entry_view, operating
from atom.execution.listing import MOST_COPIES, copies_document, document, every
from atom.history import ExecutionFilter
from atom.names import flower_url
from atom.records import Execution, State, StepKind
from atom.store import open_store
from atom.text import shortened

_MOST_CHILDREN: Final = 20
# In a list; `show` has the whole error.
_LONGEST_ERROR: Final = 200
_MOST_IN_INBOX: Final = 10_000


@click.group()
def executions() -> None:
    """Look at executions, cancel them, run them once more."""


executions.add_command(retry)


@executions.command(name="list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--state", type=click.Choice([state.value for state in State]))
@click.option("--held", is_flag=True, help="Executions whose journal does not fit the code.")
@click.option("--service", default="", help="Only those of this service.")
@click.option("--action", default="", help="Only those of this action.")
@click.option("--tenant", "tenant_id", default="", help="Only those of this tenant.")
@click.option("--version", default="", help="Only those that this version accepted.")
@click.option("--worker-version", default="", help="Only those that this version ran last.")
@click.option("--since", type=When(), help="Accepted then or later: 2026-01-31T08:00, or 2h.")
@click.option("--until", type=When(), help="Accepted before then.")
@click.option("--parent", default="", help="The children of this execution.")
@click.option(
    "--inbox",
    "is_inbox",
    is_flag=True,
    help="Failed and timed-out executions and cleanups that nobody retried or dismissed.",
)
@click.option("--find", "text", default="", help="An id of an execution or flow state, or a token.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(
    limit: int,
    state: str | None,
    held: bool,
    parent: str,
    is_inbox: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """List the newest executions, the inbox, or the children of one in the order of their items.

    With --held, those that are held the longest come first, children among them.
    """
    if bool(parent) + is_inbox + held > 1:
        raise click.UsageError("--inbox, --held and --parent exclude each other.")
    store = open_store(settings_of_running())
    asked = ExecutionFilter(state=State(state) if state else None, **wanted)
    listed: Iterable[Execution]
    if parent:
        listed = filter(asked.matches, store.children(parent))
    elif is_inbox:
        listed = filter(asked.matches, store.failed(_MOST_IN_INBOX))
    elif held:
        listed = filter(asked.matches, store.held(_MOST_IN_INBOX))
    else:
        listed = every(store, asked, _warn)
    found = list(islice(listed, limit))
    if as_json:
        print_json([document(each, full=False) for each in found])
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in (
        "Execution",
        "Process",
        "State",
        "Version",
        "Accepted (UTC)",
        "Took",
        "Callback",
    ):
        table.add_column(heading, no_wrap=True)
    table.add_column("Error", overflow="fold")
    for each in found:
        table.add_row(
            each.id,
            each.label,
            each.state.value,
            each.versions,
            _clock(each.accepted_at),
            _took(each),
            each.callback_state.value,
            escape(shortened(each.error or "", _LONGEST_ERROR)),
        )
    wide_console().print(table if found else "No executions.")


@executions.command()
@click.argument("execution_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def show(execution_id: str, as_json: bool) -> None:
    """Show one execution: its times, log, documents and callback tries.

    Each step, wait, signal, map and call is shown with its outcome, secrets masked. Of its copies,
    the newest are shown.
    """
    settings = settings_of_running()
    store = open_store(settings)
    execution = store.get(execution_id)
    if execution is None:
        raise AtomError(f"There is no execution {execution_id} (or it has outlived its retention).")
    flower = flower_url(settings.flower_link, execution_id)
    copies = store.copies(execution)
    if as_json:
        log = [asdict(line) for line in store.log(execution_id)]
        family = store.children(execution_id) if execution.children else ()
        cleanups = [document(child, full=False) for child in family if child.ending]
        more = {"log": log, "flower_url": flower or None, "cleanups": cleanups}
        print_json({**document(execution, full=True), **more, **copies_document(copies)})
        return
    console = wide_console()
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    values = document(execution, full=False) | {"ending": None}
    if execution.ending:
        values |= {"parent": None, "cleanup of": f"{execution.parent} ({execution.ending})"}
    for name, value in values.items():
        if value not in (None, ""):
            shown = _clock(value) if isinstance(value, datetime) else str(value)
            facts.add_row(name.replace("_", " "), shown)
    if flower:
        facts.add_row("flower", flower)
    console.print(facts)
    for line in _entries(execution):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    family = store.children(execution.id) if execution.children else ()
    for line in _children(execution, family):
        console.print(line, highlight=False, markup=False)
    for line in _copies(copies):
        console.print(line, highlight=False, markup=False)
    for attempt in execution.callback_attempts:
        console.print(
            f"callback ({attempt.kind}) {_clock(attempt.at)}: {attempt.summary} "
            f"in {duration(attempt.milliseconds / 1000)}",
            highlight=False,
            markup=False,
        )
    for entry in store.log(execution_id):
        message = entry.message.replace("\n", "\n    ")  # so that each line shows what it is
        shown = f"log {_clock(entry.at)} {entry.level}: {message}"
        console.print(shown, highlight=False, markup=False, soft_wrap=True)
    for name, content in (("request", execution.request), ("response", execution.response)):
        if content is not None:
            console.rule(name, align="left")
            console.print_json(data=content)
    for line in advice.lines(execution, family):
        console.print(line, highlight=False, markup=False)


@executions.command()
@click.argument("execution_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def cancel(execution_ids: tuple[str, ...], as_json: bool) -> None:
    """End executions that have not ended; their flows hear a fault named Cancelled.

    One that has not begun never will. A process that runs is told (execution.cancelled), and
    nothing that it does from then on is recorded; after ATOM_CANCEL_GRACE_SECONDS the worker
    process that runs it is killed (in a prefork worker).
    """
    settings = settings_of_running()
    # Without the services a flow still hears the fault, only without the outputs beside it.
    catalog, store = load_catalog(settings.services, required=False), open_store(settings)
    done = [operating.cancel(catalog, store, each) for each in execution_ids]
    finish_with(done, as_json=as_json)


@executions.command()
@click.argument("execution_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def dismiss(execution_ids: tuple[str, ...], as_json: bool) -> None:
    """Note that failed executions and parked callbacks were seen to: nobody is asked any more.

    They stay in the history. A parked callback is not sent again.
    """
    store = open_store(settings_of_running())
    finish_with([operating.dismiss(store, each) for each in execution_ids], as_json=as_json)


@executions.command()
@click.argument("execution_id", metavar="ID")
@click.argument("name")
@click.option("--event", default="null", help="What the process gets, as JSON.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def signal(execution_id: str, name: str, event: str, as_json: bool) -> None:
    """Give an execution the signal NAME that it waits for (execution.signal)."""
    try:
        content = operating.event_of(event)
    except MalformedRequest as error:
        raise click.BadParameter(str(error), param_hint="--event") from None
    store = open_store(settings_of_running())
    done = operating.signal(store, execution_id, name, content, operator_name())
    finish_with([done], as_json=as_json)


def _entries(execution: Execution) -> Iterator[str]:
    """Yield the recorded entries, each with its outcome on a second line."""
    is_shortened = False
    for position, entry in enumerate(execution.steps, 1):
        ended = "" if entry.kind is StepKind.RESULT else f" ({entry.kind.value})"
        yield f"step {position}: {entry_view.label(entry)}{ended}"
        if text := entry_view.text(entry):
            is_shortened = is_shortened or "…" in text
            yield f"    {text}"
    if is_shortened:
        yield "Long results are shortened; --json has all of them."


def _children(execution: Execution, family: Sequence[Execution]) -> Iterator[str]:
    """Yield how many of its children are in each state, the first of them, and its cleanups."""
    children = [each for each in family if not each.ending]
    if children:
        counts = Counter(each.state.value for each in children)
        yield f"children: {', '.join(f'{count} {state}' for state, count in counts.items())}"
    for number, child in enumerate(children[:_MOST_CHILDREN], 1):
        error = f": {child.error}" if child.error else ""
        process = f"{child.service}.{child.action}"
        yield f"child {number}: {child.id} {process} {child.state.value}{error}"
    if len(children) > _MOST_CHILDREN:
        yield f"All of them: atom executions list --parent {execution.id} --limit {len(family)}"
    for cleanup in family:
        if cleanup.ending:
            error = f": {cleanup.error}" if cleanup.error else ""
            yield f"cleanup: {cleanup.id} {cleanup.state.value}{error}"


def _copies(copies: Sequence[Execution]) -> Iterator[str]:
    """Yield the number of copies of an execution, and the newest of them."""
    if copies:
        shown = f" (the newest {MOST_COPIES} are shown)" if len(copies) > MOST_COPIES else ""
        yield f"copies: {len(copies)}{shown}"
    for copied in copies[:MOST_COPIES]:
        error = f": {copied.error}" if copied.error else ""
        yield f"copy: {copied.id} {copied.state.value}{error}"


def _warn(problem: str) -> None:
    click.echo(f"atom: {problem} What was moved there is missing.", err=True)


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _took(execution: Execution) -> str:
    took = execution.took(datetime.now(UTC))
    if took is None or execution.finished_at is None:
        return "–"
    return duration(took.total_seconds())
