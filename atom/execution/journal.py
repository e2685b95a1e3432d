"""The journal of an execution in a worker: its recorded steps and its progress."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import orjson

from atom.errors import (
    CannotSuspend,
    NestedStep,
    SignalTimedOut,
    StepMismatch,
    StepTooLarge,
    StoreUnavailable,
)
from atom.execution.lease import Lease
from atom.execution.own_log import OwnLog
from atom.execution.steps import decode, encode, outcome_of, run_step
from atom.execution.wakeup import wake_callback
from atom.metrics import STEPS
from atom.publisher import Publisher
from atom.records import PROGRESS, Claim, Step, StepKind
from atom.redaction import redacted
from atom.retry import Retry
from atom.store import ExecutionStore
from atom.suspension import Suspended, Wait, WaitKind, signal_step
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
        *,
        may_suspend: bool,
    ) -> None:
        self._own_log = own_log
        self._may_suspend = may_suspend
        self._step: str | None = None  # the one that runs
        self.suspended_at: Wait | None = None
        """Where this attempt has ended, whatever the process does after."""
        self._claim, self._lease = claim, lease
        self._store, self._publisher = store, publisher
        self._max_step_bytes = max_step_bytes
        self._position = 0
        # Who claims it first has nothing to replay, and need not ask.
        self._recorded: dict[int, Step] = {}
        if claim.fence > 1:
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
        recorded, cause = self._next(name), None
        if recorded is None:
            self._lease.check()
            with span(f"step {name}", Kind.INTERNAL):
                began = time.monotonic()
                recorded, cause = self._run(name, function, retry)
                took = round((time.monotonic() - began) * 1000)
                self._record(replace(recorded, ended_at=datetime.now(UTC), milliseconds=took))
                if recorded.kind is StepKind.FAILURE:
                    fail(type(cause).__name__)
            self._count(recorded.kind.value)
        return cast(_T, outcome_of(recorded, cause))

    def wait_until(self, name: str, due: datetime | timedelta) -> None:
        """See Journal."""
        if self._next(name) is not None:
            return
        until = self._until(due)
        if until > self._now():
            self._suspend(name, WaitKind.TIME, until)
        self._record(Step(name, encode(None), ended_at=datetime.now(UTC)))

    def signal(self, name: str, timeout: timedelta | None) -> Any:
        """See Journal."""
        recorded = self._next(signal_step(name))
        if recorded is None:
            until = None if timeout is None else self._until(timeout)
            event = self._lease.patiently(lambda: self._store.signal_event(self._claim, name))
            if event is None and (until is None or until > self._now()):
                self._suspend(name, WaitKind.SIGNAL, until)
            recorded = Step(signal_step(name), encode(event), ended_at=datetime.now(UTC))
            self._record(recorded)
        event = decode(recorded.result)
        if event is None:
            raise SignalTimedOut(name)
        return orjson.loads(event)

    def signal_token(self, name: str) -> str:
        """See Journal."""
        return self._lease.patiently(lambda: self._store.signal_token(self._claim, name))

    def check_complete(self) -> None:
        """Refuse the result of a process that went on after it was suspended.

        Raises:
            CannotSuspend: it did.
        """
        if self.suspended_at is not None:
            raise CannotSuspend(
                f"The process was to wait ({self.suspended_at.step}) and went on: a bare “except:” "
                "or “except BaseException:” in it has to let Suspended pass."
            )

    def _next(self, name: str) -> Step | None:
        """Go on to the next position; what an earlier attempt recorded there."""
        if self.suspended_at is not None:
            raise Suspended(self.suspended_at)  # the process held the first one back
        if self._step is not None:
            raise NestedStep(name, self._step)
        self._position += 1
        recorded, wait = self._recorded.get(self._position), self._wait
        known = recorded.name if recorded else wait.step if wait else name
        if known != name:
            raise StepMismatch(self._position, known, name)
        if recorded is not None:
            self._count("replayed")
        return recorded

    @property
    def _wait(self) -> Wait | None:
        """The wait at which an earlier attempt was suspended, where that was here."""
        wait = self._claim.wait
        return wait if wait and wait.position == self._position else None

    def _until(self, due: datetime | timedelta) -> datetime:
        """Until when to wait here; what an earlier attempt began goes on."""
        if self._wait is not None and self._wait.until is not None:
            return self._wait.until
        return self._now() + due if isinstance(due, timedelta) else due

    def _now(self) -> datetime:
        """By the store's clock, which is the one that wakes."""
        return self._claim.claimed_at + timedelta(seconds=self._lease.held_seconds)

    def _suspend(self, name: str, kind: WaitKind, until: datetime | None) -> None:
        if not self._may_suspend:
            raise CannotSuspend(
                "This process is answered in its request, which waits for it: it cannot be "
                "suspended."
            )
        deadline = self._claim.deadline
        if until is not None and kind is WaitKind.TIME and until >= deadline:
            raise CannotSuspend(
                f"It would wait until {until:%Y-%m-%d %H:%M:%S} UTC, but its deadline is "
                f"{deadline:%Y-%m-%d %H:%M:%S} UTC; give the process a longer timeout."
            )
        self.suspended_at = Wait(position=self._position, name=name, kind=kind, until=until)
        raise Suspended(self.suspended_at)

    def _run(
        self, name: str, function: Callable[[], _T], retry: Retry | None
    ) -> tuple[Step, Exception | None]:
        self._step = name
        try:
            return run_step(name, function, retry, self._lease.sleep)
        finally:
            self._step = None

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
