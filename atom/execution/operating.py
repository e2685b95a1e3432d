"""What a person does to executions, and what is said of it: the same in CLI and console."""

from dataclasses import dataclass
from typing import Final

from atom.catalog import Catalog
from atom.execution.ending import cancel as end_by_cancelling
from atom.records import Ended, Restart, State
from atom.store import ExecutionStore
from atom.suspension import Signalled

_REFUSALS: Final = {
    Restart.UNKNOWN: "there is no such execution (or it has outlived its retention)",
    Restart.UNFINISHED: "it has not ended; cancel it first, or wait",
    Restart.CHILD: "it is a child, whose end its parent knows; run the parent once more, which "
    "`atom executions show` names",
    Restart.COMPLETED: "it completed, so no step failed; run it whole, from the start",
    Restart.UNDELIVERED: "its callback is still being sent; wait until it is delivered or parked",
    Restart.SECRET: "the secrets of its request were deleted; start the flow again",
    Restart.UNREADABLE: "no key of ATOM_SECRET_KEY here reads it; use the keys of its workers, "
    "with the one that was in use when it ran. If that key is lost, start the flow again",
    Restart.CLEANUP: "its cleanup still runs; wait for it or cancel it (`atom executions show` "
    "names it), then retry",
    Restart.MOVED: "it is a cleanup in the history database, which cannot be retried",
}


_SIGNALLED: Final = {
    Signalled.WOKEN: "goes on with the signal “{}”",
    Signalled.KEPT: "does not wait for a signal “{}” now; it is there when it does",
    Signalled.GIVEN: "had another event for the signal “{}” before",
    Signalled.ENDED: "has ended; it takes no signals",
    Signalled.UNKNOWN: _REFUSALS[Restart.UNKNOWN],
}


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one wish."""

    execution_id: str
    is_done: bool
    message: str  # what follows from it, or why it was not done; goes on after the id


def cancel(catalog: Catalog, store: ExecutionStore, execution_id: str) -> Done:
    """End an execution that has not ended; its flow hears a fault named Cancelled.

    Args:
        catalog: an action that it lacks is cancelled as well, only without the outputs that its
            flow would get beside the fault.
        store: where the execution is.
        execution_id: which one.
    """
    ended = end_by_cancelling(catalog, store, execution_id)
    return Done(execution_id, ended is not None, _cancelled(store, execution_id, ended))


def retry(store: ExecutionStore, execution_id: str, *, from_start: bool) -> Done:
    """Run an ended execution once more: all of it, or from the step that failed."""
    envelope = store.envelope(execution_id)
    verdict = store.restart(execution_id, from_start=from_start)
    is_awaited = envelope is not None and envelope.is_awaited
    return Done(execution_id, verdict is Restart.RESTARTED, _restarted(verdict, is_awaited))


def signal(store: ExecutionStore, execution_id: str, name: str, event: str) -> Done:
    """Give an execution the event that it waits for, or will; `event` is JSON."""
    signalled = store.signal(execution_id, name, event, token=None)
    is_done = signalled in (Signalled.WOKEN, Signalled.KEPT)
    return Done(execution_id, is_done, _SIGNALLED[signalled].format(name))


def replay(store: ExecutionStore, execution_id: str) -> Done:
    """Send a callback again that was parked, or taken while its flow waited for something else."""
    is_due = store.replay(execution_id)
    message = "sent again soon" if is_due else "has no callback to send again"
    return Done(execution_id, is_due, message)


def dismiss(store: ExecutionStore, execution_id: str) -> Done:
    """Let it wait for a person no longer; a parked callback is not sent any more."""
    is_dismissed = store.dismiss(execution_id)
    message = "dismissed; it stays in the history" if is_dismissed else "waits for nobody"
    return Done(execution_id, is_dismissed, message)


def _cancelled(store: ExecutionStore, execution_id: str, ended: Ended | None) -> str:
    execution = store.get(execution_id)
    if execution is None:
        return _REFUSALS[Restart.UNKNOWN]
    if ended is None:
        return f"it has ended already ({execution.state.value})"
    if ended.was is State.RUNNING:
        return (
            f"cancelled while it ran on {execution.worker}; its process is told, and nothing that "
            "it does from here on is recorded"
        )
    if ended.was is State.SUSPENDED:
        return "cancelled while it was suspended; it will not go on"
    if execution.attempts:
        return "cancelled; it waited for its next attempt, which will not come"
    return "cancelled; it had not begun, and never will"


def _restarted(verdict: Restart, is_awaited: bool) -> str:
    if verdict is not Restart.RESTARTED:
        return _REFUSALS[verdict]
    if is_awaited:
        return "starts again; its flow hears of the result"
    return "starts again; its flow waits no longer, so the result goes to the history alone"
