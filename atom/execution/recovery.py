"""Recovery: finds what nobody is doing and wakes a worker for it.

Every function may run twice, late, or in several processes at once: it only publishes wake-ups,
and the claims decide who acts.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from atom.catalog import Catalog
from atom.errors import Fault, NotFound, PublishFailed
from atom.execution.wakeup import wake_callback, wake_callbacks
from atom.protocol.message_actions import fault, sealed
from atom.publisher import Publisher
from atom.records import Envelope
from atom.store import ExecutionStore
from atom.store.files import FileStore

_log = logging.getLogger(__name__)

# Bounded work in one tick; what is left is found by the next one.
_AT_ONCE: Final = 500

TIMED_OUT: Final = "TimedOut"
_TIMED_OUT_STATUS: Final = 504


class Recovery:
    """The periodic look at the store."""

    def __init__(
        self, catalog: Catalog, store: ExecutionStore, publisher: Publisher, files: FileStore
    ) -> None:
        self._catalog, self._store, self._publisher = catalog, store, publisher
        self._files = files

    def tick(self) -> dict[str, int]:
        """Do everything once; returns how many of each kind were found."""
        counts: dict[str, int] = {}
        steps: dict[str, Callable[[], int]] = {
            "callbacks published": self.publish_callbacks,
            "overdue ended": self.end_overdue,
            "unstarted published again": self.publish_unstarted,
            "lost taken over": self.take_over_lost,
            "history trimmed": lambda: self._store.trim(_AT_ONCE),
            "expired uploads deleted": self._files.trim,
        }
        for name, step in steps.items():
            found = step()
            if found:
                counts[name] = found
                _log.info("Recovery: %s %d", name, found)
        return counts

    def publish_callbacks(self) -> int:
        """Callbacks whose due time has come."""
        due = self._store.take_due_callbacks(_AT_ONCE)
        wake_callbacks(self._publisher, due)
        return len(due)

    def publish_unstarted(self) -> int:
        """Accepted, but never started: the message was lost, or the workers are behind."""
        return self._publish(self._store.take_unstarted(_AT_ONCE))

    def take_over_lost(self) -> int:
        """Executions whose worker gave no sign of life for the length of a lease."""
        return self._publish(self._store.take_lost(_AT_ONCE))

    def end_overdue(self) -> int:
        """Executions past their deadline; the flow hears of it."""
        ended = 0
        for execution_id in self._store.take_overdue(_AT_ONCE):
            envelope = self._store.envelope(execution_id)
            if envelope is None:
                continue
            message = f"{envelope.action} took too long; look for execution {execution_id}."
            response = self._refusal(envelope, Fault(message, TIMED_OUT))
            due = self._store.time_out(execution_id, sealed(response), message)
            if due is not None:
                ended += 1
                _log.warning(
                    "%s.%s timed out",
                    envelope.service,
                    envelope.action,
                    extra={"execution_id": execution_id},
                )
            if due:
                wake_callback(self._publisher, execution_id)
        return ended

    def _refusal(self, envelope: Envelope, no: Fault) -> dict[str, Any]:
        try:
            process = self._catalog.process(envelope.service, envelope.action)
        except NotFound:
            return fault(envelope.token, envelope.tenant_id, (), (no,))
        return process.refusal(
            envelope.token, envelope.tenant_id, (no,), request=None, status=_TIMED_OUT_STATUS
        )

    def _publish(self, execution_ids: Sequence[str]) -> int:
        published = 0
        for execution_id in execution_ids:
            envelope = self._store.envelope(execution_id)
            if envelope is None:
                continue
            try:
                process = self._catalog.process(envelope.service, envelope.action)
                self._publisher.publish(process.task_name, execution_id, process.options.queue)
            except (NotFound, PublishFailed) as error:
                _log.warning(
                    "Could not be published again: %s",
                    error,
                    extra={"execution_id": execution_id},
                )
                continue
            published += 1
        return published
