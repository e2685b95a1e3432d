"""The journal of an execution in a worker: its recorded steps, its waits and its progress."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

from atom.children import Join, NewJoin
from atom.entries import Entry, EntryKey
from atom.errors import JournalMismatch, StepTooLarge, StoreError
from atom.execution.children import Asked, call_of, items_digest, items_of, joined, results_of
from atom.execution.ending import cancel
from atom.execution.recorded_entries import check_join
from atom.execution.recorded_values import encode
from atom.execution.replay import Replay, call_entry, check_awaitable, redacted_entry
from atom.execution.steps import (
    event_of,
    outcome_of,
    run_step,
    step_of_signal,
    unsuccessful,
)
from atom.execution.wakeup import wake_callback
from atom.records import PROGRESS, Step, StepKind
from atom.redaction import redacted
from atom.retry import Retry
from atom.suspension import WaitKind
from atom.traces import Kind, fail, span

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class StoreJournal(Replay):
    """The journal of one claim, in the store. See `atom.context.Journal`."""

    def progress(self, message: str, fraction: float | None) -> None:
        """See Journal. A message that the store does not take is dropped: the next one follows.

        A message that an earlier attempt has sent is not sent again.
        """
        if self._entries.is_catching_up:
            return
        asked_at = time.monotonic()
        try:
            due = self._store.progress(self._claim, redacted(message), fraction)
        except StoreError as error:
            _log.warning("Progress could not be shown: %s", error)
            return
        self._lease.confirm(asked_at)
        if due:  # as often as a flow is told, not as often as a process says something
            self._own_log.note(PROGRESS, message)
        self._own_log.flush()
        if due:
            wake_callback(self._publisher, self._claim.id)

    def step(self, entry: Entry, function: Callable[[], _T], retry: Retry | None = None) -> _T:
        """See Journal. The attempt that runs it sees what a replay would: what was recorded."""
        entry = redacted_entry(entry)
        (key, recorded), cause = self._next(entry), None
        if recorded is None:
            self._lease.check()
            with span(f"step {entry.name}", Kind.INTERNAL):
                began = time.monotonic()
                recorded, cause = self._run(key.name, function, retry)
                took = round((time.monotonic() - began) * 1000)
                recorded = replace(recorded, ended_at=self._lease.now(), milliseconds=took)
                self._record(key, entry, recorded)
                if recorded.kind is StepKind.FAILURE:
                    fail(type(cause).__name__)
            self._count(recorded.kind.value)
        return cast(_T, outcome_of(recorded, cause))

    def _run(
        self, name: str, function: Callable[[], _T], retry: Retry | None
    ) -> tuple[Step, BaseException | None]:
        self._step = name
        try:
            return run_step(name, function, retry, self._lease.sleep, self._is_ending)
        finally:
            self._step = None

    # --- waiting without a worker

    def wait_until(self, entry: Entry, due: datetime | timedelta) -> None:
        """See Journal."""
        entry = redacted_entry(entry)
        key, recorded = self._next(entry)
        if recorded is not None:
            return
        until = self._until(key, due)
        if until > self._lease.now():
            self._suspend(key, WaitKind.TIME, until, is_delay=isinstance(due, timedelta))
        self._record(key, entry, Step(key.name, encode(None), ended_at=self._lease.now()))

    def signal(self, entry: Entry, timeout: timedelta | None) -> Any:
        """See Journal."""
        name = entry.name
        key, recorded = self._next(entry)
        if recorded is None:
            until = None if timeout is None else self._until(key, timeout)
            given = self._lease.patiently(lambda: self._store.signal_event(self._claim, name))
            if given is None and (until is None or until > self._lease.now()):
                self._suspend(key, WaitKind.SIGNAL, until, is_delay=True)
            event = (None,) if given is None else (given.event, given.giver)
            recorded = replace(step_of_signal(name, *event), ended_at=self._lease.now())
            self._record(key, entry, recorded)
        return event_of(name, recorded)

    def signal_token(self, name: str) -> str:
        """See Journal."""
        return self._lease.patiently(lambda: self._store.signal_token(self._claim, name))

    # --- children

    def map(
        self,
        entry: Entry,
        function: Callable[[Any, Any], Any],
        items: Iterable[Any],
        concurrency: int,
        *,
        returns_faults: bool,
    ) -> list[Any]:
        """See Journal."""
        every = list(items)
        entry = replace(redacted_entry(entry), digest=items_digest(every))
        key, recorded = self._next(entry)
        if recorded is None:
            children = items_of(self._process, function, every, entry.digest)
            recorded = self._join(key, entry, children, concurrency, stops=not returns_faults)
        return results_of(key.name, recorded, returns_faults=returns_faults)

    def call(
        self,
        name: str | None,
        function: Callable[..., Any],
        document: Mapping[str, Any],
        formerly: str | None,
    ) -> dict[str, Any]:
        """See Journal."""
        process = self._catalog.process_of(function)
        entry = call_entry(process, name, formerly)
        key, recorded = self._next(entry)
        if recorded is None:
            child = call_of(process, document, self._claim)
            recorded = self._join(key, entry, child, 1, stops=True)
        (outputs,) = results_of(key.name, recorded, returns_faults=False)
        return process.read_outputs(outputs)

    def _join(self, key: EntryKey, entry: Entry, asked: Asked, width: int, *, stops: bool) -> Step:
        """Begin children or continue to wait for them; return their record if they have ended.

        Raises:
            Suspended: they have not ended, or others were begun at this entry before.
            CannotSuspend: the request waits for the result.
        """
        check_awaitable(self._process)
        new = NewJoin(
            key=key,
            total=len(asked.requests),
            width=width,
            stops=stops,
            function=entry.function,
            digest=asked.digest,
        )
        join = self._lease.patiently(lambda: self._store.open_join(self._claim, new))
        try:
            check_join(key, entry, join, new.digest, new.total)
        except JournalMismatch as error:
            self._hold(key.name, error)
            raise
        if not join.is_over:
            missing = asked.missing(self._claim, join)
            self._lease.patiently(lambda: self._store.spawn(self._claim, missing))
            self._suspend(key, WaitKind.CHILDREN, None)
        for child in join.unfinished:
            self._lease.patiently(partial(cancel, self._catalog, self._store, child))
        if join.total > 1 and not join.is_stopped:  # children report at intervals, and not the last
            self.progress(f"{key.name}: {join.total} of {join.total}", 1.0)
        step = self._completed(self._joined(key.name, join), key, entry)
        step = replace(step, ended_at=self._lease.now())
        order = self._order + 1
        self._lease.patiently(lambda: self._store.close_join(self._claim, order, step))
        self._order = order
        self._own_log.flush()
        return step

    def _joined(self, name: str, join: Join) -> Step:
        """Return the record of the children; one that is too large is a failure."""
        step = joined(name, join)
        try:
            self._check_size(step)
        except StepTooLarge as error:
            _log.error("%s", error)
            return unsuccessful(name, error)
        return step

    @property
    def cancelled(self) -> bool:
        """See Journal."""
        return self._lease.lost
