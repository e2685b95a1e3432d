"""What an attempt knows of earlier ones: where in the journal it is, and what is there."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from atom.catalog import Catalog
from atom.errors import CannotSuspend, NestedStep, StepMismatch, StepTooLarge
from atom.execution.lease import Lease
from atom.execution.own_log import OwnLog
from atom.execution.ownership import Owner
from atom.metrics import STEPS
from atom.process import Process
from atom.publisher import Publisher
from atom.records import Claim, Step
from atom.store import ExecutionStore
from atom.suspension import Suspended, Wait, WaitKind


@dataclass(frozen=True, slots=True)
class Means:
    """What a journal works with, the same for all of a worker."""

    store: ExecutionStore
    publisher: Publisher
    catalog: Catalog
    max_step_bytes: int
    is_ending: Callable[[], bool] = lambda: False  # by a signal to this worker process


class Replay:
    """The positions of one claim's journal."""

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
        self._position = 0
        self._step: str | None = None  # the one that runs
        self._suspended_at: Wait | None = None
        # Who claims it first has nothing to replay, and need not ask.
        self._recorded: dict[int, Step] = {}
        if claim.fence > 1:
            self._recorded = lease.patiently(lambda: self._store.steps(claim))

    def wait_of(self, suspended: Suspended) -> Wait | None:
        """Return the wait at which this ended the attempt; None if user code made it up."""
        wait = self._suspended_at
        return wait if wait is not None and vars(suspended).get("wait") is wait else None

    def check_complete(self) -> None:
        """Refuse the result of a process that went on after it was suspended.

        Raises:
            CannotSuspend: it did.
        """
        if self._suspended_at is not None:
            raise CannotSuspend(
                f"The process was to wait ({self._suspended_at.step}) and went on: a bare "
                "“except:” or “except BaseException:” in it has to let Suspended pass."
            )

    def _next(self, name: str) -> Step | None:
        """Go on to the next position; what an earlier attempt recorded there.

        Raises:
            WrongThread: the caller is not the thread that runs the process.
            StepMismatch: something else is there.
            NestedStep: a step runs.
            Suspended: this attempt has ended, and the process held that back.
        """
        self._owner.check(name)
        if self._suspended_at is not None:
            raise Suspended(self._suspended_at)
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

    def _record(self, step: Step) -> None:
        """Write what is at this position.

        Raises:
            StepTooLarge: the journal does not take so much.
            ClaimLost: this attempt no longer counts.
        """
        self._check_size(step)

        def record() -> None:
            asked_at = time.monotonic()
            self._store.record_step(self._claim, self._position, step)
            self._lease.confirm(asked_at)

        self._lease.patiently(record)
        self._own_log.flush()

    def _check_size(self, step: Step) -> None:
        size = len(step.result.encode())
        if size > self._max_step_bytes:
            raise StepTooLarge(step.name, size, self._max_step_bytes)

    def _suspend(
        self, name: str, kind: WaitKind, until: datetime | None, *, is_delay: bool = False
    ) -> None:
        """End this attempt here, by Suspended.

        Raises:
            CannotSuspend: its request waits for it, or its deadline comes first.
        """
        self._check_awaitable()
        deadline = self._claim.deadline
        if until is not None and kind is WaitKind.TIME and until >= deadline:
            raise CannotSuspend(
                f"It would wait until {until:%Y-%m-%d %H:%M:%S} UTC, but its deadline is "
                f"{deadline:%Y-%m-%d %H:%M:%S} UTC; give the process a longer timeout."
            )
        self._suspended_at = Wait(
            position=self._position,
            name=name,
            kind=kind,
            until=until,
            since=self._lease.now() if is_delay else None,
        )
        raise Suspended(self._suspended_at)

    def _check_awaitable(self) -> None:
        """Refuse to wait where nobody waits for that.

        Raises:
            CannotSuspend: its request waits for it.
        """
        if self._process.is_synchronous:
            raise CannotSuspend(
                "This process is answered in its request, which waits for it: it cannot be "
                "suspended."
            )

    @property
    def _is_replaying(self) -> bool:
        """Whether an earlier attempt has come further than this one has yet."""
        waited_at = self._claim.wait.position if self._claim.wait else 0
        return self._position < max(waited_at, *self._recorded, 0)

    @property
    def _wait(self) -> Wait | None:
        """The wait at which an earlier attempt was suspended, where that was here."""
        wait = self._claim.wait
        return wait if wait and wait.position == self._position else None

    def _until(self, due: datetime | timedelta) -> datetime:
        """Until when to wait here; what an earlier attempt began goes on."""
        if self._wait is not None and self._wait.until is not None:
            return self._wait.until
        return self._lease.now() + due if isinstance(due, timedelta) else due

    def _count(self, outcome: str) -> None:
        STEPS.labels(self._claim.service, self._claim.action, outcome).inc()
