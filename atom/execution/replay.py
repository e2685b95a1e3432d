"""The part of a journal that knows earlier attempts: recorded entries, begun waits and holds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from atom.catalog import Catalog
from atom.entries import Entry, EntryKey, EntryKind
from atom.errors import CannotSuspend, JournalMismatch, NestedStep, StepTooLarge
from atom.execution.holding import hold
from atom.execution.lease import Lease
from atom.execution.masked_results import masked_result
from atom.execution.own_log import OwnLog
from atom.execution.ownership import Owner
from atom.execution.recorded_entries import RecordedEntries, completed
from atom.metrics import STEPS
from atom.process import Process
from atom.publisher import Publisher
from atom.records import Claim, Step
from atom.redaction import redacted
from atom.store import ExecutionStore
from atom.suspension import Suspended, Wait, WaitKind


@dataclass(frozen=True, slots=True)
class Means:
    """The parts of a worker that all its journals share."""

    store: ExecutionStore
    publisher: Publisher
    catalog: Catalog
    max_step_bytes: int
    is_ending: Callable[[], bool] = lambda: False  # by a signal to this worker process


class Replay:
    """The entries of one claim's journal."""

    def __init__(
        self, claim: Claim, lease: Lease, own_log: OwnLog, process: Process, means: Means
    ) -> None:
        self._claim: Final = claim
        self._lease, self._own_log = lease, own_log
        self._process = process
        self._store, self._publisher = means.store, means.publisher
        self._catalog, self._max_step_bytes = means.catalog, means.max_step_bytes
        self._owner: Final = Owner.current()
        self._is_ending = means.is_ending
        self._step: str | None = None  # the one that runs
        self._suspended_at: Wait | None = None
        # The first claim has nothing to replay, and need not ask.
        recorded: dict[int, Step] = {}
        if claim.fence > 1:
            recorded = lease.patiently(lambda: self._store.steps(claim))
        self._order = max(recorded, default=0)  # of the latest record
        self._entries = RecordedEntries(
            (step for _, step in sorted(recorded.items())), claim.waits.values()
        )

    def wait_of(self, suspended: Suspended) -> Wait | None:
        """Return the wait at which this ended the attempt; None if user code made it up."""
        wait = self._suspended_at
        return wait if wait is not None and vars(suspended).get("wait") is wait else None

    def check_complete(self) -> None:
        """Refuse the result of a process that continued after it was suspended.

        Raises:
            CannotSuspend: it did.
        """
        if self._suspended_at is not None:
            raise CannotSuspend(
                f"The process was to wait ({self._suspended_at.name}) and continued: a bare "
                "“except:” or “except BaseException:” in it has to let Suspended pass."
            )

    @property
    def unreached(self) -> list[EntryKey]:
        """The recorded entries that this attempt has not asked for."""
        return self._entries.unreached

    def _next(self, entry: Entry) -> tuple[EntryKey, Step | None]:
        """Advance to an entry; return its key, and the record of an earlier attempt.

        Raises:
            WrongThread: the caller is not the thread that runs the process.
            NestedStep: a step runs.
            Suspended: this attempt has ended and the process held that back, or the execution is
                held, since the record does not fit.
            JournalMismatch: the record does not fit, and the execution cannot be suspended.
        """
        self._owner.check(entry.name)
        if self._suspended_at is not None:
            raise Suspended(self._suspended_at)
        if self._step is not None:
            raise NestedStep(entry.name, self._step)
        try:
            key, recorded = self._entries.find(entry)
        except JournalMismatch as error:
            self._hold(entry.name, error)
            raise
        if recorded is not None:
            self._count("replayed")
        return key, recorded

    def _record(self, key: EntryKey, entry: Entry, step: Step) -> None:
        """Write the record of an entry.

        Raises:
            StepTooLarge: the journal does not take so much.
            ClaimLost: this attempt no longer counts.
        """
        step = self._completed(step, key, entry)
        self._check_size(step)
        order = self._order + 1

        def record() -> None:
            asked_at = time.monotonic()
            self._store.record_step(self._claim, order, step)
            self._lease.confirm(asked_at)

        self._lease.patiently(record)
        self._order = order
        self._own_log.flush()

    def _completed(self, step: Step, key: EntryKey, entry: Entry) -> Step:
        """Return the record with the identity of its entry, and its result as people see it."""
        step = completed(step, key, entry)
        return replace(step, masked_result=masked_result(step, self._process.secret_names))

    def _check_size(self, step: Step) -> None:
        size = len(step.result.encode())
        if size > self._max_step_bytes:
            raise StepTooLarge(step.name, size, self._max_step_bytes)

    def _suspend(
        self, key: EntryKey, kind: WaitKind, until: datetime | None, *, is_delay: bool = False
    ) -> None:
        """End this attempt here, by Suspended.

        Raises:
            CannotSuspend: the request waits for the result, or the deadline comes first.
        """
        check_wait(self._process, self._claim, kind, until)
        self._suspended_at = Wait(
            name=key.name,
            occurrence=key.occurrence,
            kind=kind,
            until=until,
            since=self._lease.now() if is_delay else None,
        )
        raise Suspended(self._suspended_at)

    def _hold(self, name: str, error: JournalMismatch) -> None:
        """End this attempt by Suspended until a worker has other code, unless nothing can wait."""
        if not self._process.is_synchronous:
            self._suspended_at = hold(self._claim, self._lease, name, str(error))
            raise Suspended(self._suspended_at) from error

    def _until(self, key: EntryKey, due: datetime | timedelta) -> datetime:
        """Return the end of a wait; a wait that an earlier attempt began keeps its end."""
        return end_of_wait(self._entries.wait_of(key), due, self._lease.now())

    def _count(self, outcome: str) -> None:
        STEPS.labels(self._claim.service, self._claim.action, outcome).inc()


def check_awaitable(process: Process) -> None:
    """Refuse to suspend an execution whose request waits for the result.

    Raises:
        CannotSuspend: the request waits for the result.
    """
    if process.is_synchronous:
        raise CannotSuspend(
            "This process is answered in its request, which waits for it: it cannot be suspended."
        )


def check_wait(process: Process, claim: Claim, kind: WaitKind, until: datetime | None) -> None:
    """Refuse a wait that an execution cannot make.

    Raises:
        CannotSuspend: the request waits for the result, or the deadline comes first.
    """
    check_awaitable(process)
    deadline = claim.deadline
    if until is not None and kind is WaitKind.TIME and until >= deadline:
        raise CannotSuspend(
            f"It would wait until {until:%Y-%m-%d %H:%M:%S} UTC, but its deadline is "
            f"{deadline:%Y-%m-%d %H:%M:%S} UTC; give the process a longer timeout."
        )


def end_of_wait(wait: Wait | None, due: datetime | timedelta, now: datetime) -> datetime:
    """Return the end of a wait; one that an earlier attempt began keeps its end.

    Args:
        wait: as an earlier attempt began it.
        due: the end, or the delay from now.
        now: by the clock of the store.
    """
    if wait is not None and wait.until is not None:
        if wait.since is not None and wait.since > now:  # the clock was set back
            return now + (wait.until - wait.since)
        return wait.until
    return now + due if isinstance(due, timedelta) else due


def call_entry(process: Process, name: str | None, formerly: str | None) -> Entry:
    """Return the entry of a call; without a name it is named after the process."""
    return redacted_entry(
        Entry(
            kind=EntryKind.CALL,
            name=name or f"call {process.task_name}",
            function=process.task_name,
            formerly=formerly,
        )
    )


def redacted_entry(entry: Entry) -> Entry:
    """Return the entry without secrets in its names: the history and traces show them."""
    former = None if entry.formerly is None else redacted(entry.formerly)
    return replace(entry, name=redacted(entry.name), formerly=former)
