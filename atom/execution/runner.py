"""Running an execution: claim, call the process, write its outcome."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson
from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.children import After
from atom.durations import duration
from atom.errors import (
    ClaimLost,
    Fault,
    Faults,
    InvalidRequest,
    StoreError,
    StoreUnavailable,
    Unreadable,
)
from atom.execution.children import UnknownFunction
from atom.execution.ending import child_refusal
from atom.execution.ends import Again, Outcome
from atom.execution.failures import described, plain_faults
from atom.execution.holding import hold
from atom.execution.journal import StoreJournal
from atom.execution.keeper import LeaseKeeper
from atom.execution.lease import Lease
from atom.execution.masked_results import masked_value
from atom.execution.own_log import FAILURE, OwnLog
from atom.execution.preparing import declared, execution_of, opened, process_of, unserved
from atom.execution.replay import Means
from atom.execution.wakeup import wake_callback
from atom.logs import context_of
from atom.metrics import QUEUE_WAIT_SECONDS, RUN_SECONDS
from atom.process import Process
from atom.protocol.files import upload_of
from atom.protocol.message_actions import fault, sealed
from atom.protocol.requests import ConnectorRequest
from atom.publisher import Publisher
from atom.records import Claim, State
from atom.redaction import hiding, masked
from atom.store import ExecutionStore
from atom.store.encryption import LOOK_AGAIN_SECONDS
from atom.store.files import FileStore
from atom.streams import ending_lines
from atom.suspension import Suspended, Wait
from atom.traces import Kind, fail, span

_log = logging.getLogger(__name__)

FAILED: Final = "Failed"

# A fault is the process's own word, and no error.
_AS_WANTED: Final = (State.COMPLETED.value, State.FAULTED.value, State.SUSPENDED.value)

# What a synchronous request is answered with: the process said no, or it broke.
_REFUSED, _BROKEN = 409, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how often a worker tries, and how much it records."""

    lease_seconds: float
    max_attempts: int
    max_step_bytes: int
    max_log_lines: int


class Runner:
    """Runs the executions that a worker is woken for."""

    def __init__(  # noqa: PLR0913 (made in one place, by keyword)
        self,
        catalog: Catalog,
        store: ExecutionStore,
        publisher: Publisher,
        files: FileStore,
        *,
        keeper: LeaseKeeper,
        limits: Limits,
        worker: str,
        make_flow_client: Callable[[str], Any],
        is_ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make one for a worker process.

        Args:
            catalog: the declared services.
            store: where executions are.
            publisher: what wakes workers.
            files: where uploads are.
            keeper: renews the leases of what runs.
            limits: of one execution.
            worker: the name of this worker process.
            make_flow_client: makes the Flow Client connector of a tenant.
            is_ending: whether a signal is ending this worker process. What leaves a process from
                then on is passed on, and the execution is left to another worker.
        """
        self._catalog, self._store, self._publisher = catalog, store, publisher
        self._files = files
        self._keeper, self._limits = keeper, limits
        self._worker = worker
        self._make_flow_client, self._is_ending = make_flow_client, is_ending

    def run(
        self,
        execution_id: str,
        version: str,
        max_concurrency: int | None = None,
        *,
        has_cleanup: bool = False,
        profiles: str = "",
    ) -> str:
        """Run the execution unless somebody else does or did; returns what happened, in a word.

        A second delivery of one message, or one that comes after the end, changes nothing.

        Args:
            execution_id: as the message names it.
            version: of the service whose code this worker runs.
            max_concurrency: of the process.
            has_cleanup: whether the process declares `on_end`.
            profiles: the digest of the profiles of the process.

        Raises:
            StoreUnavailable: nothing can be done; recovery will find it.
            Unreadable: it is encrypted, with none of our keys; it was left to others.
        """
        asked_at = time.monotonic()
        claim = self._store.claim(
            execution_id,
            self._worker,
            version,
            max_concurrency or 0,
            has_cleanup=has_cleanup,
            profiles=profiles,
        )
        if claim is None:
            return "nothing to do"
        name = f"run {claim.service}.{claim.action}"
        about: dict[str, str | int] = {**context_of(claim.id, claim), "attempt": claim.attempt}
        if claim.ending:
            about["cleanup_of"] = claim.ending.execution_id
        with bound_contextvars(**about), span(name, Kind.CONSUMER, claim.trace, about):
            became = self._run(claim, asked_at)
            if became not in _AS_WANTED:
                fail(became)
            return became

    def _run(self, claim: Claim, asked_at: float) -> str:
        process = declared(self._catalog, claim)
        names = process.secret_names if process else frozenset()
        document, secrets = opened(claim, names)
        process = process and process_of(process, claim, document)
        _measure_wait(claim)
        lease = Lease(claim, self._store, self._limits.lease_seconds, asked_at)
        own_log = OwnLog(claim, lease.now, self._store, self._limits.max_log_lines)
        with hiding(secrets), own_log.collect():
            try:
                with self._keeper.keep(claim):
                    with ending_lines():
                        ended = self._attempt(claim, lease, process, document, own_log)
                    # Before the flow hears of the end, and people look.
                    own_log.flush()
                    if isinstance(ended, Again):
                        return self._put_off(claim, lease, ended, asked_at)
                    if isinstance(ended, Wait):
                        return self._suspend(claim, lease, ended, asked_at)
                    after, state = self._finish(claim, lease, process, ended)
            except ClaimLost as lost:
                _log.warning("%s What this attempt did is dropped.", lost)
                _measure_run(claim, "lost", asked_at)
                self._let_go(claim, process)
                return "lost"
            except Unreadable as error:
                return self._leave_to_others(claim, error)
            except StoreUnavailable:
                raise
            except BaseException as error:
                if self._is_ending():
                    raise
                return self._give_up(claim, error)
        _measure_run(claim, state.value, asked_at)
        self._forget_upload(claim, document)
        self._follow(claim, after)
        _log.info("%s.%s %s at attempt %d", claim.service, claim.action, state.value, claim.attempt)
        return state.value

    def _follow(self, claim: Claim, after: After) -> None:
        """Wake whoever has something to do now."""
        if after.is_callback_due:
            wake_callback(self._publisher, claim.id)
        progress = after.progress
        if progress is not None:
            message = f"{progress.key.name}: {progress.done} of {progress.total}"
            with suppress(StoreUnavailable):  # the next child that ends reports more
                if self._store.join_progress(progress, message):
                    wake_callback(self._publisher, progress.parent)

    def _finish(
        self, claim: Claim, lease: Lease, process: Process | None, ended: Outcome
    ) -> tuple[After, State]:
        """Write the outcome, or that it cannot be written."""
        try:
            after = self._write(claim, lease, process, ended)
        except (ClaimLost, StoreUnavailable):
            raise
        except Exception as error:
            _log.error("The outcome cannot be written", exc_info=error)
            reason = f"Its outcome cannot be written: {described(error)}"
            ended = self._broken(claim, process, reason)
            after = self._write(claim, lease, process, ended)
        return after, ended.state

    def _write(self, claim: Claim, lease: Lease, process: Process | None, ended: Outcome) -> After:
        names = process.secret_names if process else frozenset[str]()
        whole = sealed(ended.response)
        if claim.parentage is not None:  # a result of any form, and no document with types
            public = orjson.dumps(masked_value(orjson.loads(whole), names))
        else:
            public = orjson.dumps(masked(orjson.loads(whole), names)) if names else whole
        private = whole if public != whole else None
        return lease.patiently(
            lambda: self._store.finish(claim, ended.state, public, ended.error, private)
        )

    def _give_up(self, claim: Claim, error: BaseException) -> str:
        """End an attempt that our own code could not: its worker counts as lost, but at once."""
        _log.error("The attempt broke off", exc_info=error)
        with suppress(StoreError):  # else its lease runs out
            self._store.release(claim)
        return "broken off"

    def _put_off(self, claim: Claim, lease: Lease, again: Again, asked_at: float) -> str:
        error = again.error
        lease.patiently(
            lambda: self._store.hand_back(claim, delay_seconds=again.wait_seconds, failed=error)
        )
        _measure_run(claim, "again", asked_at)
        _log.warning(
            "%s.%s failed at try %d (%s); again in %s",
            claim.service,
            claim.action,
            claim.tries + 1,
            error,
            duration(again.wait_seconds),
        )
        return "to be tried again"

    def _suspend(self, claim: Claim, lease: Lease, wait: Wait, asked_at: float) -> str:
        _log.info("%s.%s waits for %s", claim.service, claim.action, wait)
        lease.patiently(lambda: self._store.suspend(claim, wait))
        _measure_run(claim, State.SUSPENDED.value, asked_at)
        return State.SUSPENDED.value

    def _leave_to_others(self, claim: Claim, error: Unreadable) -> str:
        """A step or an upload cannot be read here; a worker that has its key may do better."""
        _log.error("Left to a worker that has the key: %s", error)
        with suppress(ClaimLost):
            self._store.hand_back(claim, delay_seconds=LOOK_AGAIN_SECONDS)
        return "unreadable"

    def _attempt(
        self,
        claim: Claim,
        lease: Lease,
        process: Process | None,
        document: dict[str, Any],
        own_log: OwnLog,
    ) -> Outcome | Again | Wait:
        """Call the process; how that ended."""
        if claim.attempt > 1:
            _log.info(
                "Attempt %d: %d before it lost their worker, %d failed",
                claim.attempt,
                claim.losses,
                claim.tries,
            )
        if claim.is_of_several_versions:
            _log.info("Accepted by version %s, run by %s", claim.version, claim.worker_version)
        if process is None:
            return hold(claim, lease, "", unserved(claim))
        if claim.losses >= self._limits.max_attempts:
            return self._broken(
                claim, process, f"Its worker was lost {claim.losses} times; it was given up."
            )
        request: ConnectorRequest | None = None
        journal: StoreJournal | None = None
        try:
            request = process.read(document)
            journal = self._journal(claim, lease, process, own_log)
            execution = execution_of(claim, journal, process, request, self._make_flow_client)
            response = process.call(
                request, execution, lambda upload: self._files.open(upload.id, upload.size)
            )
            journal.check_complete()
            _warn_of_unreached(journal)
        except Unreadable:
            raise
        except UnknownFunction as error:
            return hold(claim, lease, "", str(error))
        except BaseException as error:
            if self._is_ending() or self._is_lost(claim, lease, error):
                raise
            wait = journal.wait_of(error) if journal and type(error) is Suspended else None
            return wait or self._failed(claim, lease, process, request, error)
        return Outcome(State.COMPLETED, response)

    def _is_lost(self, claim: Claim, lease: Lease, error: BaseException) -> bool:
        """Return whether the claim is lost; user code may raise ClaimLost while it is not."""
        return type(error) is ClaimLost and not lease.patiently(lambda: self._store.holds(claim))

    def _failed(
        self,
        claim: Claim,
        lease: Lease,
        process: Process,
        request: ConnectorRequest | None,
        error: BaseException,
    ) -> Outcome | Again:
        """End an attempt by what its process raised."""
        try:
            return self._judged(claim, lease, process, request, error)
        except BaseException:  # an exception may raise others as soon as it is looked at
            if self._is_ending():
                raise
            return self._broken(claim, process, described(error))

    def _judged(
        self,
        claim: Claim,
        lease: Lease,
        process: Process,
        request: ConnectorRequest | None,
        error: BaseException,
    ) -> Outcome | Again:
        if isinstance(error, InvalidRequest):
            # A query that this version cannot answer, or a call that its process refuses.
            return self._broken(claim, process, described(error))
        again = _next_try(claim, lease, process, error)
        if again is not None:
            _log.info("What failed", exc_info=error)
            return again
        if claim.ending or not isinstance(error, Fault | Faults):  # no flow hears a cleanup's fault
            _log.error(FAILURE, exc_info=error)
            return self._broken(claim, process, described(error))
        _log.info("Faulted: %s", described(error))
        refusal = process.refusal(
            claim.token, claim.tenant_id, plain_faults(error), request=request, status=_REFUSED
        )
        return Outcome(State.FAULTED, refusal, described(error))

    def _journal(
        self, claim: Claim, lease: Lease, process: Process, own_log: OwnLog
    ) -> StoreJournal:
        most = self._limits.max_step_bytes
        means = Means(self._store, self._publisher, self._catalog, most, self._is_ending)
        return StoreJournal(claim, lease, own_log, process, means)

    def _broken(self, claim: Claim, process: Process | None, error: str) -> Outcome:
        """End an execution that failed, with the error that the log and the history show.

        A parent gets the error of its child, as it gets that of a failed step. A flow gets one
        safe sentence.
        """
        _log.error("Failed: %s", error)
        faults = (
            Fault(f"{claim.action} could not be completed; look for execution {claim.id}.", FAILED),
        )
        if claim.parentage is not None:
            response = child_refusal((Fault(error, FAILED),))
        elif process is None:
            response = fault(claim.token, claim.tenant_id, (), faults)
        else:
            response = process.refusal(
                claim.token, claim.tenant_id, faults, request=None, status=_BROKEN
            )
        return Outcome(State.FAILED, response, error)

    def _let_go(self, claim: Claim, process: Process | None) -> None:
        """It runs no longer; until here it kept its place, although it was ended from outside."""
        if process is None or process.options.max_concurrency is None:
            return
        try:
            self._store.let_go(claim)
        except StoreUnavailable as error:
            _log.warning("Its place is free when its lease would have run out: %s", error)

    def _forget_upload(self, claim: Claim, document: dict[str, Any]) -> None:
        """The content of an upload is needed until its execution has ended, and no longer."""
        upload = upload_of(document)
        if upload is None:
            return
        try:
            self._files.delete(upload.id)
        except StoreUnavailable as error:
            _log.warning("An upload stays until it expires: %s", error)


def _warn_of_unreached(journal: StoreJournal) -> None:
    """Log the recorded entries that the completed process did not ask for."""
    for name, occurrence in journal.unreached:
        _log.warning(
            "The journal has a record of “%s” (occurrence %d) that the process did not ask for: "
            "its code no longer has this entry",
            name,
            occurrence,
        )


def _next_try(claim: Claim, lease: Lease, process: Process, error: BaseException) -> Again | None:
    """What the process's policy says; a try that would begin after the deadline is none."""
    retry = process.options.retry
    wait = retry.next_wait(claim.tries, error) if retry else None
    if wait is None or lease.now() + timedelta(seconds=wait) >= claim.deadline:
        return None
    return Again(wait, described(error))


def _measure_wait(claim: Claim) -> None:
    """How long it waited to be started at all."""
    if claim.fence == 1:
        waited = (claim.claimed_at - claim.accepted_at).total_seconds()
        QUEUE_WAIT_SECONDS.labels(claim.queue).observe(max(0.0, waited))


def _measure_run(claim: Claim, state: str, asked_at: float) -> None:
    """How long an attempt took and how it ended."""
    seconds = time.monotonic() - asked_at
    RUN_SECONDS.labels(claim.service, claim.action, state).observe(seconds)
