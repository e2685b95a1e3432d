"""The journal of a dry replay: it returns what is recorded, and runs and writes nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn, TypeVar, cast

from atom.catalog import Catalog
from atom.entries import Entry, EntryKey
from atom.errors import JournalMismatch
from atom.execution.children import Asked, call_of, items_digest, items_of, results_of
from atom.execution.ownership import Owner
from atom.execution.recorded_entries import RecordedEntries, check_join
from atom.execution.replay import (
    call_entry,
    check_awaitable,
    check_wait,
    end_of_wait,
    redacted_entry,
)
from atom.execution.steps import event_of, outcome_of
from atom.process import Process
from atom.records import Step
from atom.retry import Retry
from atom.store.in_flight_contract import InFlight
from atom.suspension import WaitKind

_T = TypeVar("_T")

_TOKEN: Final = "no token: this is a dry replay"  # noqa: S105 (not a secret)


class ReplayEnded(BaseException):
    """Ends a dry replay at the first entry that is not recorded.

    It is not an Exception, so that a process that handles those lets it pass.
    """


class DryJournal:
    """A journal of an unfinished execution that only reads. See `atom.context.Journal`.

    It makes the checks of a worker's journal in the same order.
    """

    def __init__(self, in_flight: InFlight, process: Process, catalog: Catalog) -> None:
        """Make the journal of one dry replay, which belongs to the calling thread.

        Args:
            in_flight: the execution, with the versions of its next attempt.
            process: which the attempt would run.
            catalog: of the processes that it may call.
        """
        self._in_flight, self._claim = in_flight, in_flight.claim
        self._process, self._catalog = process, catalog
        self._owner: Final = Owner.current()
        steps = (step for _, step in sorted(in_flight.steps.items()))
        self._entries = RecordedEntries(steps, in_flight.claim.waits.values())
        self._latest: Final = next(reversed(self._entries.unreached), None)
        self.is_over = False
        """True once the replay has ended at an entry; later actions of the process do not count."""
        self.mismatch: str | None = None
        """The difference for which a worker would hold the execution."""
        self.new_entry: EntryKey | None = None
        """The entry that would run although later entries are recorded."""

    @property
    def unreached(self) -> list[EntryKey]:
        """The recorded entries that the process has not asked for, in the order of the records."""
        return self._entries.unreached

    def progress(self, message: str, fraction: float | None) -> None:
        """See Journal. Nothing is shown."""

    def step(self, entry: Entry, function: Callable[[], _T], retry: Retry | None = None) -> _T:
        """See Journal. The function is never called."""
        key, recorded = self._next(redacted_entry(entry))
        if recorded is None:
            self._end(key)
        return cast(_T, outcome_of(recorded))

    def wait_until(self, entry: Entry, due: datetime | timedelta) -> None:
        """See Journal."""
        key, recorded = self._next(redacted_entry(entry))
        if recorded is None:
            now = self._claim.claimed_at
            until = end_of_wait(self._entries.wait_of(key), due, now)
            if until > now:
                check_wait(self._process, self._claim, WaitKind.TIME, until)
            self._end(key)

    def signal(self, entry: Entry, timeout: timedelta | None) -> Any:
        """See Journal."""
        key, recorded = self._next(entry)
        if recorded is None:
            check_awaitable(self._process)
            self._end(key)
        return event_of(entry.name, recorded)

    def signal_token(self, name: str) -> str:
        """See Journal. A token that no attempt has asked for yet is not made."""
        return self._in_flight.signal_tokens.get(name, _TOKEN)

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
            self._join(key, entry, items_of(self._process, function, every, entry.digest))
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
            self._join(key, entry, call_of(process, document, self._claim))
        (outputs,) = results_of(key.name, recorded, returns_faults=False)
        return process.read_outputs(outputs)

    @property
    def cancelled(self) -> bool:
        """See Journal."""
        return False

    def _join(self, key: EntryKey, entry: Entry, asked: Asked) -> NoReturn:
        """End the replay at children, after the comparison with those that are under way."""
        check_awaitable(self._process)
        join = self._in_flight.join
        if join is not None and join.key == key:
            try:
                check_join(key, entry, join, asked.digest, len(asked.requests))
            except JournalMismatch as error:
                self._hold(error)
                raise
        self._end(key)

    def _next(self, entry: Entry) -> tuple[EntryKey, Step | None]:
        """Advance to an entry; return its key and its record.

        Raises:
            WrongThread: the caller is not the thread that runs the process.
            ReplayEnded: the replay has ended, or the record does not fit.
            JournalMismatch: the record does not fit, and the execution cannot be suspended.
        """
        self._owner.check(entry.name)
        if self.is_over:
            raise ReplayEnded
        try:
            return self._entries.find(entry)
        except JournalMismatch as error:
            self._hold(error)
            raise

    def _hold(self, error: JournalMismatch) -> None:
        if not self._process.is_synchronous:
            self.is_over, self.mismatch = True, str(error)
            raise ReplayEnded from error

    def _end(self, key: EntryKey) -> NoReturn:
        """End the replay at an entry that is not recorded.

        The entry is new if the latest record or wait has not been reached. An entry at which the
        execution waits already is not new.
        """
        self.is_over = True
        join = self._in_flight.join
        is_begun = self._entries.wait_of(key) is not None or (join is not None and join.key == key)
        if not is_begun and self._latest in self._entries.unreached:
            self.new_entry = key
        raise ReplayEnded
