"""Forecasts for unfinished executions: dry replays of their journals against the code on disk."""

import io
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from atom.catalog import Catalog
from atom.entries import EntryKey
from atom.errors import Fault, Faults, UnknownFormat, Unreadable
from atom.execution.children import UnknownFunction
from atom.execution.dry_journal import DryJournal
from atom.execution.failures import described
from atom.execution.preparing import declared, execution_of, opened, process_of, unserved
from atom.process import Process
from atom.records import Claim
from atom.redaction import hiding, redacted
from atom.store import ExecutionStore
from atom.store.files import FileStore
from atom.store.in_flight_contract import InFlight

REPLAY_SECONDS: Final = 10.0
# A process may catch the end of its time: it is raised again at this interval.
_AGAIN_SECONDS: Final = 1.0


class Prediction(StrEnum):
    """The fate of an execution under the code on disk."""

    CONTINUES = "continues"
    RUNS_NEW_ENTRY = "runs_new_entry"  # one that stands before entries that are recorded
    HELD = "held"
    FAILS = "fails"
    UNREADABLE = "unreadable"  # with our keys, or in our format

    @property
    def is_good(self) -> bool:
        """Return whether a deploy may go ahead."""
        return self in (Prediction.CONTINUES, Prediction.RUNS_NEW_ENTRY)


class Part(StrEnum):
    """The part of an action that an execution runs."""

    ACTION = "action"
    ITEM = "item"  # of a map
    CLEANUP = "cleanup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The prediction for one execution."""

    execution_id: str
    prediction: Prediction
    service: str
    action: str
    part: Part = Part.ACTION
    version: str = ""  # that accepted it
    entry: EntryKey | None = None  # that would run anew
    reason: str | None = None  # for which it is held, fails or is unreadable
    unreached: tuple[EntryKey, ...] = ()  # recorded entries that the process did not ask for


class _TimeOver(BaseException):
    """Ends a replay that takes too long."""


class Forecaster:
    """Replays unfinished executions without running their steps and without writing.

    Code outside of steps does run. Its output and log lines are dropped.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: ExecutionStore,
        files: FileStore,
        *,
        make_flow_client: Callable[[str], Any],
        seconds: float = REPLAY_SECONDS,
    ) -> None:
        """Make a forecaster for the main thread, whose alarm signal limits each replay.

        Args:
            catalog: the code that would be deployed.
            store: where the executions are.
            files: where uploads are.
            make_flow_client: makes the Flow Client connector of a tenant.
            seconds: the longest duration of one replay.
        """
        self._catalog, self._store, self._files = catalog, store, files
        self._make_flow_client, self._seconds = make_flow_client, seconds

    def forecast(self, execution_id: str) -> Forecast | None:
        """Predict the fate of an execution; None if it has ended."""
        try:
            in_flight = self._store.in_flight(execution_id)
        except (Unreadable, UnknownFormat) as error:
            envelope = self._store.envelope(execution_id)
            return Forecast(
                execution_id=execution_id,
                prediction=Prediction.UNREADABLE,
                service=envelope.service if envelope else "",
                action=envelope.action if envelope else "",
                reason=str(error),
            )
        return None if in_flight is None else self._of(in_flight)

    def _of(self, in_flight: InFlight) -> Forecast:
        process = declared(self._catalog, in_flight.claim)
        in_flight = _next_attempt(in_flight, process)
        claim = in_flight.claim
        document, secrets = opened(claim, process.secret_names if process else frozenset())
        base = Forecast(
            execution_id=claim.id,
            prediction=Prediction.CONTINUES,
            service=claim.service,
            action=claim.action,
            part=_part_of(claim, document),
            version=claim.version,
        )
        if process is None:
            return replace(base, prediction=Prediction.HELD, reason=unserved(claim))
        with hiding(secrets):
            return self._replayed(base, process_of(process, claim, document), document, in_flight)

    def _replayed(
        self, base: Forecast, process: Process, document: dict[str, Any], in_flight: InFlight
    ) -> Forecast:
        journal = DryJournal(in_flight, process, self._catalog)
        error: BaseException | None = None
        try:
            with _limited(self._seconds), _silenced():
                self._call(process, document, in_flight.claim, journal)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # a process may raise anything
            error = raised
        if isinstance(error, _TimeOver):
            error = TimeoutError(f"the replay took more than {self._seconds:g} s outside of steps")
        return _judged(replace(base, unreached=tuple(journal.unreached)), journal, error)

    def _call(
        self, process: Process, document: dict[str, Any], claim: Claim, journal: DryJournal
    ) -> None:
        request = process.read(document)
        execution = execution_of(claim, journal, process, request, self._make_flow_client)
        process.call(request, execution, lambda upload: self._files.open(upload.id, upload.size))


def _judged(base: Forecast, journal: DryJournal, error: BaseException | None) -> Forecast:
    """Return the forecast of a replay that has ended, by an exception or by itself."""
    if journal.mismatch is not None:
        return replace(base, prediction=Prediction.HELD, reason=redacted(journal.mismatch))
    if isinstance(error, UnknownFunction):
        return replace(base, prediction=Prediction.HELD, reason=redacted(str(error)))
    if journal.new_entry is not None:
        return replace(base, prediction=Prediction.RUNS_NEW_ENTRY, entry=journal.new_entry)
    if journal.is_over or error is None:
        return base
    if isinstance(error, Unreadable):  # an upload
        return replace(base, prediction=Prediction.UNREADABLE, reason=str(error))
    if isinstance(error, Fault | Faults) and base.part is not Part.CLEANUP:
        return base  # an answer of the process, and no failure
    return replace(base, prediction=Prediction.FAILS, reason=described(error))


def _next_attempt(in_flight: InFlight, process: Process | None) -> InFlight:
    """Return the execution as a worker with this code would claim it."""
    if process is None:
        return in_flight
    claim = in_flight.claim
    is_of_several_versions = (
        claim.is_of_several_versions
        or claim.version != process.version
        or in_flight.profiles != process.profiles_digest
    )
    claim = replace(
        claim,
        worker_version=process.version,
        is_of_several_versions=is_of_several_versions,
    )
    return replace(in_flight, claim=claim)


def _part_of(claim: Claim, document: dict[str, Any]) -> Part:
    if claim.ending:
        return Part.CLEANUP
    return Part.ITEM if claim.parentage and "item" in document else Part.ACTION


@contextmanager
def _silenced() -> Iterator[None]:
    """Drop everything that is printed or logged."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    nowhere = io.StringIO()
    try:
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield
    finally:
        logging.disable(disabled)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise _TimeOver in the main thread after a number of seconds, and again until it ends."""
    is_on = True

    def end(number: int, frame: Any) -> None:
        if is_on:
            raise _TimeOver

    handler = signal.signal(signal.SIGALRM, end)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        is_on = False
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, handler)
