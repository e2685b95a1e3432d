"""`atom executions retry`: run executions that have ended again."""

import click

from atom.cli.output import finish_with
from atom.cli.running import settings_of_running
from atom.entries import EntryKey
from atom.execution import operating
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
@click.option(
    "--drop-signals",
    is_flag=True,
    help="Forget the signals that were received, and wait for new ones.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def retry(
    execution_ids: tuple[str, ...],
    from_start: bool,
    from_failed_step: bool,
    from_step: str | None,
    occurrence: int | None,
    drop_signals: bool,
    as_json: bool,
) -> None:
    """Run executions that have ended again, with the code that the workers have now.

    The flow resumes with the new result if it still waits, because its callback was parked. If it
    has moved on, the result goes to the history alone.

    Signals that were received are kept unless --drop-signals is given.
    """
    if from_start + from_failed_step + (from_step is not None) != 1:
        raise click.UsageError(
            "Give one of --from-start (every step runs again), --from-failed-step (what was "
            "recorded before the step that failed is kept) and --from-step NAME."
        )
    if from_step is None and occurrence is not None:
        raise click.UsageError("--occurrence belongs to --from-step.")
    step = None if from_step is None else EntryKey(from_step, occurrence or 1)
    store = open_store(settings_of_running())
    done = [
        operating.retry(
            store, each, from_start=from_start, from_step=step, drops_signals=drop_signals
        )
        for each in execution_ids
    ]
    finish_with(done, as_json=as_json)
