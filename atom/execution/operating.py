"""What a person does to executions, and what is said of it: the same in CLI and console."""

from dataclasses import dataclass
from typing import Final

from atom.catalog import Catalog
from atom.entries import EntryKey
from atom.execution import advice
from atom.execution.ending import cancel as end_by_cancelling
from atom.protocol.exact_json import normal_json
from atom.records import Ended, Replay, Restart, State
from atom.store import ExecutionStore
from atom.suspension import Signalled
from atom.text import encodable

_SIGNALLED: Final = {
    Signalled.WOKEN: "goes on with the signal “{}”",
    Signalled.KEPT: "does not wait for a signal “{}” now; it is there when it does",
    Signalled.GIVEN: "had another event for the signal “{}” before",
    Signalled.ENDED: "has ended; it takes no signals",
    Signalled.UNKNOWN: advice.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one wish."""

    execution_id: str
    is_done: bool
    message: str  # what follows from it, or why it was not done; goes on after the id
    copy: str = ""  # the id of the new execution, if it was copied


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


def retry(
    store: ExecutionStore,
    execution_id: str,
    *,
    from_start: bool = False,
    from_step: EntryKey | None = None,
    drops_signals: bool = False,
) -> Done:
    """Run an ended execution again: all of it, from a recorded entry, or from the failed step.

    Args:
        store: the store of the execution.
        execution_id: its id.
        from_start: whether every step runs again.
        from_step: else the first entry that runs again; None for the step that failed.
        drops_signals: whether the events of signals are forgotten, so that it waits for new ones.
    """
    envelope = store.envelope(execution_id)
    verdict = store.restart(
        execution_id, from_start=from_start, from_step=from_step, drops_signals=drops_signals
    )
    if verdict is not Restart.RESTARTED:
        execution = store.get(execution_id)
        if verdict is Restart.NO_STEP and from_step is not None:
            reason = advice.unknown_step(from_step, execution)
        else:
            reason = advice.retry_refusal(verdict, execution)
        return Done(execution_id, False, f"cannot be retried: {reason}")
    message = "starts again; its flow gets the result"
    if envelope is None or not envelope.is_awaited:
        message = "starts again; its flow waits no longer, so the result goes to the history alone"
    return Done(execution_id, True, message)


def event_of(text: str) -> str:
    """Return the JSON of an event in one form, as a sender's over HTTP.

    Raises:
        MalformedRequest: it is not valid JSON.
    """
    return normal_json(encodable(text).encode())


def signal(
    store: ExecutionStore, execution_id: str, name: str, event: str, operator: str = ""
) -> Done:
    """Give an execution the event that it waits for, or will; `event` is JSON.

    The name of the operator is recorded and shown with the event.
    """
    signalled = store.signal(execution_id, name, event, token=None, operator=operator)
    is_done = signalled in (Signalled.WOKEN, Signalled.KEPT)
    return Done(execution_id, is_done, _SIGNALLED[signalled].format(name))


def replay(store: ExecutionStore, execution_id: str) -> Done:
    """Send a callback now: a parked one, one that waits for its next attempt, or a kept one."""
    verdict = store.replay(execution_id)
    if verdict is Replay.DUE:
        message = "its callback is sent within seconds"
    elif verdict is Replay.WAITS:
        message = "its callback follows one of its flow state, or one that tries its host again"
    else:
        message = advice.replay_refusal(verdict, store.get(execution_id))
    return Done(execution_id, verdict.is_due, message)


def dismiss(store: ExecutionStore, execution_id: str) -> Done:
    """Acknowledge the end of an execution; a parked callback is not sent, kept secrets go."""
    is_dismissed = store.dismiss(execution_id)
    message = "dismissed; it stays in the history" if is_dismissed else "has nothing to dismiss"
    return Done(execution_id, is_dismissed, message)


def _cancelled(store: ExecutionStore, execution_id: str, ended: Ended | None) -> str:
    execution = store.get(execution_id)
    if execution is None:
        return advice.UNKNOWN
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
