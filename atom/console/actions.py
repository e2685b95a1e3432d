"""The actions that the page of an execution offers, and the reasons against the others."""

from collections.abc import Iterator, Mapping, Sequence

from atom.execution import advice
from atom.records import CallbackState, Execution, State
from atom.suspension import WaitKind


def offered(execution: Execution, family: Sequence[Execution]) -> Mapping[str, str]:
    """Return the actions that can succeed now, each with the words of its button.

    Args:
        execution: with its documents.
        family: its children and cleanups.
    """
    if not execution.state.is_final:
        return {"cancel": "Cancel"}
    actions = {}
    if not advice.replay(execution).refusal:
        is_due = execution.callback_state is CallbackState.DUE
        actions["replay"] = "Send its callback now" if is_due else "Send its callback again"
    if not advice.retry(execution, family, from_start=False).refusal:
        actions["retry"] = "Retry from the failed step"
    if not advice.retry(execution, family, from_start=True).refusal:
        actions["restart"] = "Retry from the start"
    if advice.is_dismissable(execution):
        actions["dismiss"] = "Dismiss"
    return actions


def refusals(execution: Execution, family: Sequence[Execution]) -> Iterator[str]:
    """Yield why an ended execution cannot be retried, if it cannot."""
    if execution.state.is_final:
        is_complete = execution.state is State.COMPLETED
        if refusal := advice.retry(execution, family, from_start=is_complete).refusal:
            yield f"It cannot be retried: {refusal}."


def awaited_signal(execution: Execution) -> str | None:
    """Return the signal that an execution waits for, '' if for none; None if it takes none."""
    if execution.state.is_final:
        return None
    wait = execution.wait
    return wait.name if wait is not None and wait.kind is WaitKind.SIGNAL else ""
