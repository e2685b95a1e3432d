"""The journal of an execution in a worker: its recorded steps and its progress."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar, cast

from atom.errors import StepMismatch, StepTooLarge, StoreUnavailable
from atom.execution.lease import Lease
from atom.execution.own_log import OwnLog
from atom.execution.steps import outcome_of, run_step
from atom.execution.wakeup import wake_callback
from atom.metrics import STEPS
from atom.publisher import Publisher
from atom.records import PROGRESS, Claim, Step, StepKind
from atom.redaction import redacted
from atom.retry import Retry
from atom.store import ExecutionStore
from atom.traces import Kind, fail, span

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class StoreJournal:
    """The journal of one claim, in the store. See `atom.context.Journal`."""

    def __init__(
        self,
        claim: Claim,
        lease: Lease,
        store: ExecutionStore,
        publisher: Publisher,
        max_step_bytes: int,
        own_log: OwnLog,
    ) -> None:
        self._own_log = own_log
        self._claim, self._lease = claim, lease
        self._store, self._publisher = store, publisher
        self._max_step_bytes = max_step_bytes
        self._position = 0
        # A first attempt has nothing to replay, and need not ask.
        self._recorded: dict[int, Step] = {}
        if claim.attempt > 1:
            self._recorded = lease.patiently(lambda: store.steps(claim))

    def progress(self, message: str, fraction: float | None) -> None:
        """See Journal. Without the store the message is dropped: the next one follows."""
        asked_at = time.monotonic()
        try:
            due = self._store.progress(self._claim, redacted(message), fraction)
        except StoreUnavailable as error:
            _log.warning("Progress could not be shown: %s", error)
            return
        self._lease.confirm(asked_at)
        if due:  # as often as a flow is told, not as often as a process says something
            self._own_log.note(PROGRESS, message)
        self._own_log.flush()
        if due:
            wake_callback(self._publisher, self._claim.id)

    def step(self, name: str, function: Callable[[], _T], retry: Retry | None = None) -> _T:
        """See Journal. The attempt that runs it sees what a replay would: what was recorded."""
        self._position += 1
        recorded, cause = self._recorded.get(self._position), None
        if recorded is None:
            self._lease.check()
            with span(f"step {name}", Kind.INTERNAL):
                began = time.monotonic()
                recorded, cause = run_step(name, function, retry, self._lease.sleep)
                took = round((time.monotonic() - began) * 1000)
                self._record(replace(recorded, ended_at=datetime.now(UTC), milliseconds=took))
                if recorded.kind is StepKind.FAILURE:
                    fail(type(cause).__name__)
            self._count(recorded.kind.value)
        elif recorded.name != name:
            raise StepMismatch(self._position, recorded.name, name)
        else:
            self._count("replayed")
        return cast(_T, outcome_of(recorded, cause))

    def _count(self, outcome: str) -> None:
        STEPS.labels(self._claim.service, self._claim.action, outcome).inc()

    def _record(self, step: Step) -> None:
        size = len(step.result.encode())
        if size > self._max_step_bytes:
            raise StepTooLarge(step.name, size, self._max_step_bytes)

        def record() -> None:
            asked_at = time.monotonic()
            self._store.record_step(self._claim, self._position, step)
            self._lease.confirm(asked_at)

        self._lease.patiently(record)
        self._own_log.flush()

    @property
    def cancelled(self) -> bool:
        """See Journal."""
        return self._lease.lost
