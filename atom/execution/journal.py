"""The journal of an execution in a worker: its recorded steps, its waits and its progress."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

from atom.children import Join, NewJoin
from atom.errors import CannotSpawn, StepTooLarge, StoreError
from atom.execution.children import Asked, call_of, items_of, joined, results_of
from atom.execution.ending import cancel
from atom.execution.recorded_values import encode
from atom.execution.replay import Replay
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
from atom.suspension import WaitKind, signal_step
from atom.traces import Kind, fail, span

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class StoreJournal(Replay):
    """The journal of one claim, in the store. See `atom.context.Journal`."""

    def progress(self, message: str, fraction: float | None) -> None:
        """See Journal. A message that the store does not take is dropped: the next one follows.

        What an earlier attempt has told on its way is not told again.
        """
        if self._is_replaying:
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

    def step(self, name: str, function: Callable[[], _T], retry: Retry | None = None) -> _T:
        """See Journal. The attempt that runs it sees what a replay would: what was recorded."""
        name = redacted(name)  # the history and the trace show it
        recorded, cause = self._next(name), None
        if recorded is None:
            self._lease.check()
            with span(f"step {name}", Kind.INTERNAL):
                began = time.monotonic()
                recorded, cause = self._run(name, function, retry)
                took = round((time.monotonic() - began) * 1000)
                self._record(replace(recorded, ended_at=self._lease.now(), milliseconds=took))
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

    def wait_until(self, name: str, due: datetime | timedelta) -> None:
        """See Journal."""
        if self._next(name) is not None:
            return
        until = self._until(due)
        if until > self._lease.now():
            self._suspend(name, WaitKind.TIME, until, is_delay=isinstance(due, timedelta))
        self._record(Step(name, encode(None), ended_at=self._lease.now()))

    def signal(self, name: str, timeout: timedelta | None) -> Any:
        """See Journal."""
        recorded = self._next(signal_step(name))
        if recorded is None:
            until = None if timeout is None else self._until(timeout)
            event = self._lease.patiently(lambda: self._store.signal_event(self._claim, name))
            if event is None and (until is None or until > self._lease.now()):
                self._suspend(name, WaitKind.SIGNAL, until, is_delay=True)
            recorded = replace(step_of_signal(name, event), ended_at=self._lease.now())
            self._record(recorded)
        return event_of(name, recorded)

    def signal_token(self, name: str) -> str:
        """See Journal."""
        return self._lease.patiently(lambda: self._store.signal_token(self._claim, name))

    # --- children

    def map(
        self,
        name: str,
        function: Callable[[Any, Any], Any],
        items: Iterable[Any],
        concurrency: int,
        *,
        returns_faults: bool,
    ) -> list[Any]:
        """See Journal."""
        name = redacted(name)
        recorded = self._next(name)
        if recorded is None:
            asked = items_of(self._process, function, items)
            recorded = self._join(name, asked, concurrency, stops=not returns_faults)
        return results_of(name, recorded, returns_faults=returns_faults)

    def call(self, function: Callable[..., Any], document: Mapping[str, Any]) -> dict[str, Any]:
        """See Journal."""
        process = self._catalog.process_of(function)
        name = f"call {process.task_name}"
        recorded = self._next(name)
        if recorded is None:
            asked = call_of(process, document, self._claim)
            recorded = self._join(name, asked, 1, stops=True)
        (outputs,) = results_of(name, recorded, returns_faults=False)
        return process.read_outputs(outputs)

    def _join(self, name: str, asked: Asked, width: int, *, stops: bool) -> Step:
        """Begin children or go on waiting for them; what became of them, when they have ended.

        Raises:
            Suspended: they have not.
            CannotSuspend: its request waits for it.
            CannotSpawn: others were asked for before.
        """
        self._check_awaitable()
        new = NewJoin(
            position=self._position,
            name=name,
            total=len(asked.requests),
            width=width,
            stops=stops,
            digest=asked.digest,
        )
        join = self._lease.patiently(lambda: self._store.open_join(self._claim, new))
        if join.digest != new.digest:
            content = "items" if asked.are_items else "document"
            raise CannotSpawn(
                f"“{name}” was started with other content in an earlier attempt: a process has to "
                f"pass the same {content} in every attempt. Take it from a step."
            )
        if not join.is_over:
            missing = asked.missing(self._claim, join)
            self._lease.patiently(lambda: self._store.spawn(self._claim, missing))
            self._suspend(name, WaitKind.CHILDREN, None)
        for child in join.unfinished:
            self._lease.patiently(partial(cancel, self._catalog, self._store, child))
        if join.total > 1 and not join.is_stopped:  # children report at intervals, and not the last
            self.progress(f"{name}: {join.total} of {join.total}", 1.0)
        step = replace(self._joined(name, join), ended_at=self._lease.now())
        position = self._position
        self._lease.patiently(lambda: self._store.close_join(self._claim, position, step))
        self._own_log.flush()
        return step

    def _joined(self, name: str, join: Join) -> Step:
        """What is recorded; they would be asked for again by whoever goes on without that."""
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
