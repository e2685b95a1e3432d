"""What every store promises; the docstrings are the guarantees.

Each method is one atomic operation unless it says otherwise, and may be repeated after a lost
reply. Every one raises StoreUnavailable if the store does not answer, or takes no writes at this
time: then nothing is known to be written, and nothing half. Every one raises StoreRefused if the
store will never take this value: then nothing is written.

Where there is a history database (ATOM_HISTORY_URL), executions that have ended are moved there,
and what is read is read in both places. `get`, `log`, `restart` and, of a parent that was moved,
`children` raise HistoryUnavailable where only the database could tell and does not; the others give
what Redis has, and `find` says why.

What an execution holds may be encrypted (ATOM_SECRET_KEY). Who acts on what it reads raises
Unreadable where it lacks the key; what people look at leaves out what it cannot read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

from atom.children import After
from atom.entries import EntryKey
from atom.overview import ClockReading, Overview
from atom.records import (
    Attempt,
    Claim,
    Delivery,
    Ended,
    Envelope,
    Hold,
    LogLine,
    NewExecution,
    ParkedCallback,
    Presence,
    Replay,
    Restart,
    ServerFacts,
    State,
    Step,
)
from atom.store.child_contract import ChildStore
from atom.store.history_contract import HistoryStore
from atom.store.in_flight_contract import InFlightStore
from atom.store.moving_contract import MovingStore
from atom.store.suspension_contract import SuspensionStore
from atom.store.turns import TurnStore


class Accepted(NamedTuple):
    """The result of accepting a request."""

    id: str  # of its execution
    is_new: bool
    is_out: bool  # its message is to be published; else its turn is yet to come


@dataclass(frozen=True, slots=True)
class Answer:
    """How a synchronous request is answered: with the outcome, or with WAIT."""

    response: bytes | None = field(repr=False)  # the ServiceResponse, or None for WAIT
    progress: str | None = None  # the latest progress message, where it is WAIT


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a synchronous request: the final state and the response to it."""

    state: State
    response: bytes = field(repr=False)


class ExecutionStore(
    HistoryStore, InFlightStore, SuspensionStore, ChildStore, TurnStore, MovingStore, Protocol
):
    """Executions, from acceptance to the end of their history."""

    def accept(self, new: NewExecution) -> Accepted:
        """Make an execution durable.

        A request known by tenant, token, service and action is stored once, and known for as long
        as its execution is (in Redis, or would be), at least for the retention from its deadline
        on.

        Nothing is stored after the caller has stopped waiting (10 s).

        Raises:
            StoreUnanswered: it may be stored already, but will not be from now on. A plain
                StoreUnavailable: it is not stored, and will not be.
            Paused: the service or action takes no new requests; nothing is stored.
            Overloaded: too many executions wait for a worker; nothing is stored.
            TooManyRequests: its tenant or its service asks more often than it may; nothing is
                stored, nor counted.
        """

    def answer(self, execution_id: str) -> Answer:
        """Decide how a request that may be answered synchronously is answered.

        Exactly one of answer and callback carries the outcome: once this said WAIT, the callback
        does; once it gave the outcome, it gives the same to whoever asks again, and the callback
        stays due until `confirm_answer`.

        Raises:
            Unreadable: the answer is encrypted, with none of our keys; a callback follows.
        """

    def confirm_answer(self, execution_id: str) -> None:
        """Note that the inline answer was written, so that no callback is needed."""

    def wait_result(self, execution_id: str, seconds: float) -> Result | None:
        """Block until an execution that is only answered in its request has ended.

        The result is handed out once; None where the time is over. Not to be repeated.

        Raises:
            Unreadable: it is encrypted, with none of our keys.
        """

    def give_up(self, execution_id: str) -> Result | bool:
        """Stop waiting for such an execution.

        Returns the result where it came in the last moment, else whether the execution was
        withdrawn before anybody started it. Otherwise it runs on, and its result goes to the
        history.

        Raises:
            Unreadable: the result is encrypted, with none of our keys.
        """

    def wait_finished(self, execution_id: str, seconds: float) -> None:
        """Block until a synchronous execution has finished, or the time is over."""

    def claim(
        self,
        execution_id: str,
        worker: str,
        version: str,
        max_concurrency: int = 0,
        *,
        has_cleanup: bool = False,
        profiles: str = "",
    ) -> Claim | None:
        """Take an execution that is accepted and due, or whose holder's lease ran out.

        The claim has a lease and a fencing token; whoever held it before can write nothing more.
        Taking it from a holder counts as a lost worker. `version` is that of the service which the
        worker runs; it is kept as `worker_version`, beside the version that accepted the execution.
        If the two differ, or the digests of the profiles, the execution is of several versions from
        then on.
        None where there is nothing to do: it is unknown, not due yet, suspended, finished, held by
        a live worker, or written in another format by another version of this software. A
        synchronous request whose caller has stopped waiting is cancelled instead of claimed. Where
        `max_concurrency` of its process (0: any number) run already, it waits until one of them
        does no longer; the items of a map are not counted.

        With `has_cleanup`, the script that ends the execution also creates its cleanup: a child
        with a copy of the request, which nobody waits for. Without, it does not, whatever an
        earlier claim said. Items of a map and cleanups have none. A cleanup is not counted for
        `max_concurrency`.

        Raises:
            Unreadable: it is encrypted, with none of our keys; it waits for a worker again, which
                may be one that can read it, after a while.
        """

    def renew(self, holds: Sequence[Hold]) -> Sequence[Hold]:
        """Extend each lease; returns those that are held no longer.

        One that was ended from outside keeps its place among those of its process for as long.
        Atomic for each, not for all.
        """

    def release(self, hold: Hold) -> None:
        """Let the lease end now, for its holder is dead: the next claim need not wait for it.

        A place that it kept is free from now on.
        """

    def holds(self, hold: Hold) -> bool:
        """Whether the execution is still held as this says."""

    def hand_back(
        self,
        hold: Hold,
        *,
        delay_seconds: float = 0,
        failed: str = "",
        is_running: bool = False,
    ) -> None:
        """Let the execution wait for a worker again, after the delay; it keeps its steps.

        Where its code may still be running, its place is kept until its lease would have run out.

        With `failed`, the error of a try that the process's policy repeats: it is counted and
        shown, and the failed steps that the journal ends with are forgotten, so that they run
        again.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
        """

    def steps(self, claim: Claim) -> dict[int, Step]:
        """Read the journal of earlier attempts, by the order of the records.

        Raises:
            Unreadable: a step is encrypted, with none of our keys.
        """

    def record_step(self, claim: Claim, order: int, step: Step) -> None:
        """Record an entry as the record of this number, from 1; its wait is over.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
        """

    def progress(self, claim: Claim, message: str, fraction: float | None) -> bool:
        """Record progress and make its callback due, in place of any unsent earlier one.

        Returns whether a worker is to be woken for it (else it goes out later, or with others).

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
        """

    def add_log(self, execution_id: str, lines: Sequence[LogLine]) -> None:
        """Append to an execution's own log; of more than ATOM_MAX_LOG_LINES the oldest go.

        The log lasts as long as its execution; for one that is unknown nothing is kept. Lines may
        be there twice after a lost reply.
        """

    def finish(
        self,
        claim: Claim,
        state: State,
        response: bytes,
        error: str,
        private_response: bytes | None = None,
    ) -> After:
        """Write outcome and due callback together; returns what is to be done after it.

        A callback worker is to be woken where the callback should go out now, and no wake-up is on
        its way. The end of a child may have its parent's progress told.

        `private_response` is the response with its secrets, where it has any: it is what the flow
        gets, and is forgotten once the flow has it. `response` is what the history keeps.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
        """

    def time_out(self, execution_id: str, response: bytes, error: str) -> Ended | None:
        """End an execution that passed its deadline, whoever holds it; None where it has not."""

    def cancel(self, execution_id: str, response: bytes, error: str) -> Ended | None:
        """End an execution, whoever holds it; None where it has ended, or is unknown.

        Where it had not begun it never does; where it had, its holder can write nothing more.
        """

    def restart(
        self,
        execution_id: str,
        *,
        from_start: bool = False,
        from_step: EntryKey | None = None,
        drops_signals: bool = False,
    ) -> Restart:
        """Run an ended execution again: all of it, from a recorded entry, or from the failed step.

        With `from_step` (and not `from_start`), the record of this entry and all later records are
        dropped, and with them the children that completed there. The events of its signals are
        there again unless `drops_signals`, and the tokens that it has given out are valid.
        Its flow gets the result if it has not got an earlier one. The cleanup of its last end is
        cancelled if it has not begun; one that has begun must end first. An execution that was
        moved to the history database is brought back by a write before, and moved again later.
        Nothing is changed if our keys do not read what a worker needs.
        """

    def claim_delivery(self, execution_id: str) -> Delivery | None:
        """Take a due callback, unless another one of the same flow state is on its way.

        Whoever asks has come because of a wake-up, and goes on with `next_delivery` until there is
        none: what becomes due from now on needs another wake-up, what was due before does not.

        Raises:
            Unreadable: it is encrypted, with none of our keys. It is due again after a while; one
                that nobody read for ATOM_CALLBACK_HOURS is parked.
        """

    def next_delivery(
        self, back_in_seconds: float | None = None, takes: int = 0
    ) -> tuple[Delivery, str] | None:
        """Take the callback that is due the longest, of those that can go out; None: there is none.

        Beside it is the execution of another one, if a worker is to be woken for it, or nothing.
        Raises as `claim_delivery` does.

        Args:
            back_in_seconds: when the caller looks again at the latest, whatever it finds now: until
                then nobody is woken for what becomes due. 0 takes that back; None never said so.
            takes: how many more than this one the caller can see to by itself.
        """

    def record_delivery(  # noqa: PLR0913 (what is written of a try, by keyword)
        self,
        delivery: Delivery,
        verdict: str,
        attempt: Attempt,
        *,
        due_in_seconds: float = 0,
        failures: int = 0,
        busy: int = 0,
        blames_host: bool = False,
        keep: bool = False,
    ) -> Sequence[str]:
        """Write what became of a try: `delivered`, `retry` in that many seconds, or `parked`.

        Tries in a row that blame the host open its circuit: for a while, longer each time, its
        callbacks are put off, and then one of them looks whether it is well again. A delivered
        outcome may be kept so that a person can replay it; else its secrets are forgotten.

        Returns the executions whose callbacks can go out now: those that waited for this flow
        state, and this one where newer content came meanwhile. Writes nothing where another
        worker took the delivery over.
        """

    def replay(self, execution_id: str) -> Replay:
        """Make the callback of an ended execution due now.

        That is a parked one, one that waits for its next attempt, or a delivered one that was kept.
        If the circuit of its host is open, this callback tries the host.
        """

    def dismiss(self, execution_id: str) -> bool:
        """Acknowledge the end of an execution that failed, keeps secrets or has a parked callback.

        It stays in the history. A parked callback is not sent again. The secrets that were kept
        for a retry are deleted, those that its callback needs once it is delivered. False: there
        was nothing to acknowledge.
        """

    def parked(
        self, limit: int, *, host: str = "", since: datetime | None = None
    ) -> Sequence[ParkedCallback]:
        """Read the callbacks that wait for a person, longest parked first. Not atomic."""

    def take_scheduled(self, limit: int) -> Sequence[str]:
        """Return due executions whose turn it is, and ended ones that no message reports yet."""

    def take_unstarted(self, limit: int) -> Sequence[str]:
        """Accepted executions that should have started; each is put off for the next look."""

    def take_lost(self, limit: int) -> Sequence[str]:
        """Executions whose lease ran out; each is put off for the next look."""

    def take_due_callbacks(self, limit: int) -> Sequence[str]:
        """Executions whose callback is due; each is put off for the next look."""

    def observe_clock(self, forward_seconds: float = 0) -> ClockReading:
        """Read the store's clock and remember its time; called by recovery at each tick.

        Args:
            forward_seconds: by how much the clock was set forward, as far as the caller knows.
        """

    def recompute_due_times(self) -> int:
        """Move due times to the clock that was set back; return how many were changed.

        A delay keeps its length, from now on. A lease lasts for its length at most. A time that
        somebody chose (`execution.wait_until`) stays. May be repeated after a crash.
        """

    def take_overdue(self, limit: int) -> Sequence[str]:
        """Executions past their deadline; each is put off for the next look."""

    def envelope(self, execution_id: str) -> Envelope | None:
        """Read to whom an execution belongs; None where it is unknown."""

    def trim(self, limit: int) -> int:
        """Forget what has outlived its retention; returns how many.

        Raises:
            HistoryUnavailable: it is in the history database, which does not answer.
        """

    def tend_families(self, limit: int) -> int:
        """Keep the children of executions for as long as these; returns how many were looked at.

        A write that changes for how long an execution is kept does so for its first hundred
        children, and leaves the others to this.
        """

    def announce(
        self, role: str, instance: str, details: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Note that a process of this role is alive, and what else is to be known of it."""

    def presences(self, role: str | None = None) -> Sequence[Presence]:
        """Who announced themselves within the last 30 s, by role and instance. Not atomic."""

    def present(self, role: str) -> Sequence[str]:
        """The instances of a role among these. Not atomic."""

    def withdraw(self, role: str, instance: str) -> None:
        """Take an announcement back."""

    def pause(self, target: str) -> None:
        """Refuse new requests: of `*` (all), of `<service>` or of `<service>.<action>`."""

    def resume(self, target: str) -> bool:
        """Take requests again; returns whether that very target was paused."""

    def paused(self) -> Mapping[str, datetime]:
        """What is paused, and since when."""

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the counters: what recovery did."""

    def counters(self) -> Mapping[str, int]:
        """What was done since the store was made, by name.

        `finished:<state>:<service>.<action>` counts executions that ended, without children;
        `lease_lost` claims that took over from a lost worker. The others are recovery's work.
        """

    def overview(self) -> Overview:
        """How it stands with queues, leases, callbacks and counters; see `Overview`.

        What it costs does not depend on how many executions there are.
        """

    def facts(self) -> ServerFacts | None:
        """Return what the server reports of itself; None if the user may not ask for it (INFO)."""

    def check_writable(self) -> None:
        """Return if the store answers and takes a write: it may be full, or a replica."""

    def ping(self) -> None:
        """Return if the store answers."""
