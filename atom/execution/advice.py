"""Advice to operators: the command that helps, or the reason why it would be refused.

CLI and console offer an action only if it can succeed. The store decides when it is done; the
execution may have changed in between.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final

from atom.entries import EntryKey
from atom.records import CallbackState, Execution, Replay, Restart, Secrets, State
from atom.redaction import MASK
from atom.suspension import WaitKind

NO_REQUEST: Final = "its request was not kept; start the flow again"
UNKNOWN: Final = "there is no such execution, or its retention is over"

_SECRETS: Final = {
    Secrets.DELETED_WHEN_COMPLETED: "the secrets of its request were deleted when it completed",
    Secrets.DELETED_WHEN_DISMISSED: "the secrets of its request were deleted when it was dismissed",
    Secrets.DELETED_WITHOUT_KEY: "the secrets of its request were deleted after its callback, "
    "since no ATOM_SECRET_KEY encrypted them (set one for later requests)",
    Secrets.DELETED_BY_SETTING: "the secrets of its request were deleted after its callback "
    "(ATOM_KEEP_SECRETS=never)",
}
_RETRY: Final = {
    Restart.UNKNOWN: UNKNOWN,
    Restart.UNFINISHED: "it has not ended; cancel it first, or wait",
    Restart.CHILD: "it is a child; retry its parent {parent}",
    Restart.COMPLETED: "it completed, so it has no failed step; only --from-start runs it again",
    Restart.UNDELIVERED: "its callback is still being sent; wait until it is delivered or parked",
    Restart.UNREADABLE: "no key of ATOM_SECRET_KEY here reads it; use the keys of its workers, "
    "with the one that was in use when it ran. If that key is lost, start the flow again",
    Restart.CLEANUP: "its cleanup still runs; wait for it or cancel it (`atom executions show` "
    "names it), then retry",
    Restart.MOVED: "it is a cleanup in the history database, which cannot be retried",
    Restart.CHANGED: "its journal has changed since it was read; look at it, and retry",
}
_REPLAY: Final = {
    Replay.UNFINISHED: "it has not ended; its flow gets the outcome when it does",
    Replay.SENDING: "its callback is being sent at this moment",
    Replay.ANSWERING: "the listener is about to answer its flow; the callback follows only if that "
    "fails",
}
_NO_CALLBACK: Final = {
    CallbackState.NONE: "it has no callback; its flow does not wait",
    CallbackState.DELIVERED: "its flow took the callback",
    CallbackState.DISMISSED: "its callback was dismissed, and its token deleted",
}

_CALLBACKS: Final = {
    CallbackState.PARKED: "Its callback is parked. To send it again",
    CallbackState.DUE: "Its callback waits for its next try. To try it now",
    CallbackState.DELIVERED: "Its flow took the callback and did not move. To send it again",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """A command, and why it would be refused."""

    command: str
    refusal: str = ""  # empty if it can succeed; goes on after the execution


def retry(execution: Execution, children: Sequence[Execution] = (), *, from_start: bool) -> Advice:
    """Return whether an execution can be retried.

    Args:
        execution: with its documents, or as a list has it: then a missing key is not noticed.
        children: of the execution, as far as they are known; a running cleanup is one.
        from_start: all of it, or from the step that failed.
    """
    mode = "--from-start" if from_start else "--from-failed-step"
    verdict = retry_verdict(execution, children, from_start=from_start)
    refusal = "" if verdict is Restart.RESTARTED else retry_refusal(verdict, execution)
    return Advice(f"atom executions retry {execution.id} {mode}", refusal)


def retry_verdict(
    execution: Execution, children: Sequence[Execution] = (), *, from_start: bool
) -> Restart:
    """Predict the verdict of `ExecutionStore.restart`; arguments as for `retry`."""
    are_secrets_deleted = execution.secrets is not None and execution.secrets.are_deleted
    is_sending = execution.callback_state in (CallbackState.DUE, CallbackState.DELIVERING)
    is_cleaned_up = any(
        child.ending and child.started_at and not child.state.is_final for child in children
    )
    reasons = (
        (Restart.UNFINISHED, not execution.state.is_final),
        (Restart.CHILD, execution.parent and not execution.ending),
        (Restart.COMPLETED, execution.state is State.COMPLETED and not from_start),
        (Restart.UNDELIVERED, is_sending),
        (Restart.SECRET, are_secrets_deleted),
        (Restart.CLEANUP, is_cleaned_up),
        (Restart.UNREADABLE, not _is_runnable(execution, from_start)),
    )
    return next((verdict for verdict, holds in reasons if holds), Restart.RESTARTED)


def retry_refusal(verdict: Restart, execution: Execution | None) -> str:
    """Return why a retry was refused, with what to do."""
    if execution is None:
        return _RETRY[verdict]
    if verdict is Restart.SECRET:
        return f"{deleted_secrets(execution)}; start the flow again{_copy_instead(execution)}"
    return _RETRY[verdict].format(parent=execution.parent)


def copy_refusal(execution: Execution | None) -> str:
    """Return why an execution, with its documents, cannot be copied; empty if it can.

    Secrets that were deleted are no reason: new values can be given to the copy.
    """
    if execution is None:
        return UNKNOWN
    if execution.ending:
        return f"it is a cleanup; copy its execution {execution.parent}"
    if execution.parent:
        return f"it is a child; copy its parent {execution.parent}"
    if execution.secrets is Secrets.UNREADABLE or (
        execution.request is None and execution.unreadable
    ):
        return _RETRY[Restart.UNREADABLE]
    return NO_REQUEST if execution.request is None else ""


def deleted_secrets(execution: Execution) -> str:
    """Return why the secrets of a request are missing."""
    reason = _SECRETS.get(execution.secrets) if execution.secrets else None
    return reason or "the secrets of its request were deleted"


def can_retry_from_step(execution: Execution, children: Sequence[Execution] = ()) -> bool:
    """Return whether an execution can be retried from any of its steps; arguments as `retry`."""
    are_readable = all(step.name != MASK for step in execution.steps)
    return are_readable and not retry(execution, children, from_start=True).refusal


def unknown_step(key: EntryKey, execution: Execution | None) -> str:
    """Return why an execution cannot be retried from a step, with the names that are recorded."""
    name = f"“{key.name}”" + (f" (occurrence {key.occurrence})" if key.occurrence > 1 else "")
    counts = Counter(step.name for step in execution.steps) if execution else Counter()
    if not counts:
        return f"it has no recorded step {name}: no step is recorded"
    recorded = ", ".join(
        f"“{each}”" if count == 1 else f"“{each}” ({count} times)" for each, count in counts.items()
    )
    return f"it has no recorded step {name}; recorded are {recorded}"


def replay(execution: Execution) -> Advice:
    """Return whether the callback of an execution, with its documents, can be sent now."""
    is_here = execution.callback_state in (CallbackState.PARKED, CallbackState.DUE)
    if not execution.state.is_final:
        verdict = Replay.UNFINISHED
    elif execution.callback_state is CallbackState.DELIVERING:
        verdict = Replay.SENDING
    elif execution.is_awaited and (is_here or execution.callback_state is CallbackState.DELIVERED):
        return Advice(f"atom callbacks replay {execution.id}")
    else:
        verdict = Replay.NONE
    return Advice(f"atom callbacks replay {execution.id}", replay_refusal(verdict, execution))


def replay_refusal(verdict: Replay, execution: Execution | None) -> str:
    """Return why a callback was not sent; the store knows no callback of a moved execution."""
    if execution is None:
        return UNKNOWN
    if verdict in _REPLAY:
        return _REPLAY[verdict]
    return _NO_CALLBACK.get(execution.callback_state, "it has no callback that can be sent")


def is_dismissable(execution: Execution) -> bool:
    """Return whether there is something to acknowledge: a failure, a callback or kept secrets."""
    if execution.callback_state is CallbackState.PARKED:
        return True
    if execution.is_acknowledged or (execution.parent and not execution.ending):
        return False
    is_failure = execution.state in (State.FAILED, State.TIMED_OUT)
    keeps_secrets = execution.secrets in (Secrets.KEPT, Secrets.UNREADABLE)
    is_sending = execution.callback_state in (CallbackState.DUE, CallbackState.DELIVERING)
    is_uncompleted = execution.state in (State.FAULTED, State.CANCELLED)
    return is_failure or (keeps_secrets and is_uncompleted and not is_sending)


def lines(execution: Execution, children: Sequence[Execution] = ()) -> Iterator[str]:
    """Yield what an operator can do with an execution, or why not, one sentence each."""
    wait = execution.wait
    if wait is not None and wait.kind is WaitKind.SIGNAL:
        yield f"To give the signal: atom executions signal {execution.id} {quote(wait.name)}"
    callback = replay(execution)
    if not callback.refusal:
        yield f"{_CALLBACKS[execution.callback_state]}: {callback.command}"
    if execution.state.is_final and execution.state is not State.COMPLETED:
        advice = retry(execution, children, from_start=False)
        yield (
            f"It cannot be retried: {advice.refusal}."
            if advice.refusal
            else f"To run it again: {advice.command}"
        )


def _copy_instead(execution: Execution) -> str:
    """Return the alternative to a retry without secrets; only message actions can be copied."""
    if not execution.callback_uri or copy_refusal(execution):
        return ""
    return ", or give the secrets to a copy (--as-copy)"


def _is_runnable(execution: Execution, from_start: bool) -> bool:
    """Return whether our keys read what a worker needs, as far as the execution shows."""
    if execution.secrets is Secrets.UNREADABLE:
        return False
    if execution.unreadable is None:
        return True
    is_readable = execution.request is not None
    return is_readable and (from_start or all(step.name != MASK for step in execution.steps))
