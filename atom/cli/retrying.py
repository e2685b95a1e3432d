"""`atom executions retry`: run executions that have ended again, or copies of them."""

from collections.abc import Mapping, Sequence

import click

from atom.catalog import load_catalog
from atom.cli.output import finish_with
from atom.cli.running import settings_of_running
from atom.entries import EntryKey
from atom.execution import operating
from atom.execution.copying import copy
from atom.store import open_store


@click.command()
@click.argument("execution_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--from-start", is_flag=True, help="Run every step again.")
@click.option(
    "--from-failed-step",
    is_flag=True,
    help="Keep what was recorded before the step that failed.",
)
@click.option(
    "--from-step",
    metavar="NAME",
    help="Keep what was recorded before this step, wait, map or call, and drop the rest.",
)
@click.option(
    "--occurrence",
    type=click.IntRange(1),
    help="With --from-step: the number of the step among those of this name; by default the first.",
)
@click.option("--as-copy", is_flag=True, help="Start a new execution with the same request.")
@click.option(
    "--set",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="With --as-copy: another value for an input; of an object or a list as JSON.",
)
@click.option(
    "--set-config",
    "configuration",
    metavar="NAME=VALUE",
    multiple=True,
    help="With --as-copy: another value for a configuration value of the service.",
)
@click.option(
    "--drop-signals",
    is_flag=True,
    help="Forget the signals that were received, and wait for new ones.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def retry(  # noqa: PLR0913 (one for each argument and option)
    execution_ids: tuple[str, ...],
    from_start: bool,
    from_failed_step: bool,
    from_step: str | None,
    occurrence: int | None,
    as_copy: bool,
    assignments: tuple[str, ...],
    configuration: tuple[str, ...],
    drop_signals: bool,
    as_json: bool,
) -> None:
    """Run executions that have ended again, with the code that the workers have now.

    The flow resumes with the new result if it still waits, because its callback was parked. If it
    has moved on, the result goes to the history alone.

    Signals that were received are kept unless --drop-signals is given.

    A copy is another execution, whose result goes to the history alone. The execution itself stays
    as it is, and need not have ended. If the secrets of its request were deleted, give them again
    by --set and --set-config.
    """
    if from_start + from_failed_step + (from_step is not None) + as_copy != 1:
        raise click.UsageError(
            "Give one of --from-start (every step runs again), --from-failed-step (what was "
            "recorded before the step that failed is kept), --from-step NAME and --as-copy."
        )
    if from_step is None and occurrence is not None:
        raise click.UsageError("--occurrence belongs to --from-step.")
    if as_copy and drop_signals:
        raise click.UsageError("A copy has no signals to drop.")
    for option, values in (("--set", assignments), ("--set-config", configuration)):
        if values and not as_copy:
            raise click.UsageError(
                f"{option} belongs to --as-copy: a retry has the request as it came."
            )
    if as_copy:
        changes = _texts("--set", assignments), _texts("--set-config", configuration)
        finish_with(_copied(execution_ids, *changes), as_json=as_json)
        return
    step = None if from_step is None else EntryKey(from_step, occurrence or 1)
    store = open_store(settings_of_running())
    done = [
        operating.retry(
            store, each, from_start=from_start, from_step=step, drops_signals=drop_signals
        )
        for each in execution_ids
    ]
    finish_with(done, as_json=as_json)


def _copied(
    execution_ids: Sequence[str], inputs: Mapping[str, str], configuration: Mapping[str, str]
) -> list[operating.Done]:
    settings = settings_of_running()
    catalog, store = load_catalog(settings.services), open_store(settings)
    return [
        copy(catalog, store, execution_id, inputs, configuration) for execution_id in execution_ids
    ]


def _texts(option: str, assignments: Sequence[str]) -> dict[str, str]:
    """Return the values by name. No error names a value: it may be a password."""
    texts: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} takes a name and its value: NAME=VALUE.")
        if name in texts:
            raise click.UsageError(f"{option} gives “{name}” twice.")
        texts[name] = value
    return texts
