"""The failed execution behind the fault of a flow, for commands beside its Atom."""

import os
from dataclasses import dataclass
from typing import Final

from atom.cli import running
from atom.errors import AtomError
from atom.execution.own_log import failure_traceback
from atom.history import ExecutionFilter
from atom.records import State
from atom.store import open_store

_FAILURES: Final = (State.FAILED, State.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class FailedExecution:
    """The end of an execution that failed or timed out, without secrets."""

    id: str
    state: State
    error: str
    traceback: str  # empty if the process raised nothing


def failed_execution_of(flow_state_id: str) -> FailedExecution | None:
    """Return the execution of a flow that failed.

    None if it did not fail, or if no store is known here: no Atom runs in this folder, and
    ATOM_REDIS_URL is not set. A store that cannot be read counts as unknown.
    """
    if running.find() is None and "ATOM_REDIS_URL" not in os.environ:
        return None
    try:
        store = open_store(running.settings_of_running())
        for execution in store.find(1, ExecutionFilter(text=flow_state_id)).executions:
            if execution.state in _FAILURES:
                traceback = failure_traceback(store.log(execution.id))
                error = execution.error or ""
                return FailedExecution(execution.id, execution.state, error, traceback)
    except AtomError:
        return None
    return None
