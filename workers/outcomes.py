"""The events that end a Celery task, from the state of its execution.

Celery counts a task as successful as soon as its function returns, and ours always returns. Flower
would show every failed execution as a success. So the end of a task is reported by the state that
the store has: failed and timed-out executions as `task-failed`, cancelled ones as `task-revoked`,
executions that wait for another attempt as `task-retried`.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from celery.worker.request import Request

from atom.errors import AtomError
from atom.records import Execution, State
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)

REDACTED: Final = "redacted"
"""The field of an event whose error text is the one of the history, without secrets."""

# The events of Celery that end a task or its attempt.
_ENDS: Final = frozenset({"task-succeeded", "task-failed", "task-retried", "task-cancelled"})
# Celery gets the result of a task as its repr.
_SUCCESSFUL: Final = frozenset({repr(state.value) for state in (State.COMPLETED, State.FAULTED)})
_SUSPENDED: Final = repr(State.SUSPENDED.value)
_LONGEST_ERROR: Final = 1_000


class OutcomeEvents:
    """Reads the states of ended attempts in a thread, and keeps their events until they are sent.

    The thread lives in the worker's main process. Its loop must not wait for the store.
    """

    def __init__(self, make_store: Callable[[], ExecutionStore]) -> None:
        self._make_store = make_store
        self._ids: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[tuple[str, Mapping[str, Any]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def request_class(self) -> type[Request]:
        """The class of Celery's requests for tasks that run executions."""
        report = self.report

        class ExecutionRequest(Request):
            """A request whose last event is that of its execution."""

            def send_event(self, type: str, **fields: Any) -> None:
                result = fields.get("result")
                if type not in _ENDS or result in _SUCCESSFUL:
                    super().send_event(type, **fields)
                elif result == _SUSPENDED:  # happens often, and needs nothing of the store
                    super().send_event("task-retried", **_error(State.SUSPENDED.value))
                else:
                    report(self.id)

        return ExecutionRequest

    def report(self, execution_id: str) -> None:
        """Have the event of an execution sent soon."""
        self._ids.put(execution_id)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="outcome-events", daemon=True)
            self._thread.start()

    def send(self, dispatcher: Any) -> None:
        """Send the events that are ready."""
        while not self._ready.empty():
            event, fields = self._ready.get()
            dispatcher.send(event, **fields)

    def _run(self) -> None:
        store = self._make_store()
        while True:
            execution_id = self._ids.get()
            try:
                event = outcome_event(store.get(execution_id))
            except AtomError as error:  # the store is away, or lacks the key: recovery retries
                event = "task-retried", _error(str(error))
            except Exception:
                _log.exception("The outcome of execution %s could not be reported", execution_id)
                continue
            if event is not None:
                self._ready.put((event[0], {"uuid": execution_id, **event[1]}))


def outcome_event(execution: Execution | None) -> tuple[str, dict[str, Any]] | None:
    """Return the type and fields of the event for the state of an execution.

    None if there is nothing to report: another worker runs the execution, or it is gone.
    """
    if execution is None or execution.state is State.RUNNING:
        return None
    if execution.state in (State.COMPLETED, State.FAULTED):
        return "task-succeeded", {"result": repr(execution.state.value), "runtime": None}
    if execution.state is State.CANCELLED:
        return "task-revoked", {"terminated": False, "signum": None, "expired": False}
    event = "task-failed" if execution.state.is_final else "task-retried"
    return event, _error(execution.error or execution.state.value)


def _error(text: str) -> dict[str, Any]:
    return {"exception": text[:_LONGEST_ERROR], REDACTED: True}
