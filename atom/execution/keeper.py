"""Keeping the leases of everything that one worker runs, from the worker's main process."""

import logging
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from structlog.contextvars import bound_contextvars

from atom.durations import duration
from atom.errors import ClaimLost, StoreError, StoreUnavailable
from atom.logs import context_of
from atom.outage import Outage
from atom.records import Hold
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)

# Three renewals may be missed before a lease ends.
_RENEWALS_PER_LEASE: Final = 4
_LONGEST_LOOK_SECONDS: Final = 0.25
_AT_ONCE: Final = 500
_READ_BYTES: Final = 65_536
_STOP_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Kept:
    hold: Hold
    pid: int  # of the process that runs it
    renew_at: float
    lost_at: float | None = None
    is_told: bool = False
    is_given_up: bool = False  # its process was killed, or cannot be


class LeaseKeeper:
    """Renews leases from a thread that no process of a user can starve.

    In a prefork pool that thread lives in the worker's main process, where no user code runs, so a
    process may compute for as long as it likes. Whoever runs an execution says so over a pipe that
    was made before the fork. In a pool of threads it is one more thread.

    When the process that ran an execution is dead, the lease is let go at once. When an execution
    is lost, its process is given a while to notice, and is killed then (where it is a process of
    its own): what it does has no effect here any more, but may have one elsewhere.
    """

    def __init__(
        self, make_store: Callable[[], ExecutionStore], lease_seconds: float, grace_seconds: float
    ) -> None:
        self._make_store = make_store
        self._lease_seconds = lease_seconds
        self._interval = lease_seconds / _RENEWALS_PER_LEASE
        self._grace_seconds = grace_seconds
        self._kept: dict[Hold, _Kept] = {}
        self._reads, self._writes = -1, -1
        self._main_pid = 0
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._looked_at = time.monotonic()

    # --- where executions run

    @contextmanager
    def keep(self, hold: Hold) -> Iterator[None]:
        """Have the lease renewed for as long as the block runs."""
        self._tell("+", hold)
        try:
            yield
        finally:
            self._tell("-", hold)

    def _tell(self, sign: str, hold: Hold) -> None:
        # Short enough for one write to be whole, whoever else writes. Without a reader the main
        # process is dead: then the lease runs out, as it should.
        with suppress(BrokenPipeError):
            os.write(self._writes, f"{sign} {os.getpid()} {hold.fence} {hold.id}\n".encode())

    # --- in the main process

    def start(self) -> None:
        """Begin to keep leases; before the pool forks."""
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._reads, False)
        # Not at hand_back(): a process that still runs would write to a descriptor that may be
        # another file by then.
        weakref.finalize(self, _close, self._reads, self._writes)
        self._main_pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
        self._thread.start()

    def hand_back(self) -> int:
        """Stop, and let what still runs be run elsewhere; returns how many executions those are.

        Nothing that their processes still do will be recorded. To be called at the very end, in
        the main process.
        """
        if self._thread is None or os.getpid() != self._main_pid:
            return 0
        self._ending.set()
        self._thread.join(_STOP_SECONDS)
        self._thread = None
        self._hear()
        store = self._make_store()
        handed = []
        for kept in self._kept.values():
            try:
                store.hand_back(kept.hold, is_running=True)
            except ClaimLost:
                continue
            except StoreUnavailable as error:
                with bound_contextvars(execution_id=kept.hold.id):
                    _log.warning("Not handed back, its lease runs out: %s", error)
                break
            handed.append(kept.hold)
        self._kept.clear()
        # Not before all are handed back: the time for that is short, and this asks the store.
        for hold in handed:
            with _about(hold, store):
                _log.info("Handed back: its worker ends")
        return len(handed)

    def _run(self) -> None:
        store = self._make_store()
        with Outage(_log, "Leases cannot be renewed", "Leases are renewed again") as outage:
            self._keep_leases(store, outage)

    def _keep_leases(self, store: ExecutionStore, outage: Outage) -> None:
        look_seconds = min(self._interval / 4, _LONGEST_LOOK_SECONDS)
        # Now and then, not at every word: most executions have ended by the next look.
        while not self._ending.wait(look_seconds):
            self._looked_at = time.monotonic()
            self._hear()
            try:
                self._tell_of_the_lost(store)
                self._release_of_the_dead(store)
                self._renew(store)
            except StoreUnavailable as error:
                outage.note(error)
            except Exception:
                _log.exception("Leases could not be renewed")
            else:
                outage.end()
            self._end_the_lost(store)

    def _hear(self) -> None:
        """Take in what was said since the last look; a `-` follows its `+`."""
        heard = b""
        with suppress(BlockingIOError):  # the pipe is empty
            while part := os.read(self._reads, _READ_BYTES):
                heard += part
        now = time.monotonic()
        for line in heard.splitlines():
            sign, pid, fence, execution_id = line.decode().split(" ", 3)
            hold = Hold(id=execution_id, fence=int(fence))
            if sign == "+":
                self._kept[hold] = _Kept(hold, int(pid), now + self._interval)
            else:
                self._kept.pop(hold, None)

    def _renew(self, store: ExecutionStore) -> None:
        now = time.monotonic()
        # What is lost as well: as long as its process runs on, it keeps its place.
        due = [each for each in self._kept.values() if each.renew_at <= now]
        for start in range(0, len(due), _AT_ONCE):
            part = due[start : start + _AT_ONCE]
            lost = set(store.renew([each.hold for each in part]))
            for each in part:
                each.renew_at = now + self._interval
                if each.hold in lost:
                    each.lost_at = each.lost_at or now

    def _tell_of_the_lost(self, store: ExecutionStore) -> None:
        """At the look after: most of them had ended, and their processes had not yet said so."""
        for each in self._kept.values():
            if each.lost_at is None or each.is_told:
                continue
            each.is_told = True
            with _about(each.hold, store):
                _log.warning(
                    "This worker holds the execution no longer: it was ended from outside, or its "
                    "lease ran out"
                )

    def _release_of_the_dead(self, store: ExecutionStore) -> None:
        pids = {each.pid for each in self._kept.values()} - {self._main_pid}
        dead = {pid for pid in pids if not _is_alive(pid)}
        for each in [each for each in self._kept.values() if each.pid in dead]:
            store.release(each.hold)
            del self._kept[each.hold]
            if each.is_given_up:
                continue
            with _about(each.hold, store):
                _log.warning("The worker process %d that ran it is dead", each.pid)

    def _end_the_lost(self, store: ExecutionStore) -> None:
        """Kill what was told long ago that it no longer counts."""
        now = time.monotonic()
        for each in list(self._kept.values()):
            if each.lost_at is None or each.is_given_up:
                continue
            if now - each.lost_at < self._grace_seconds:
                continue
            each.is_given_up = True
            with _about(each.hold, store):
                if each.pid == self._main_pid:
                    _log.warning(
                        "Its process runs on and cannot be interrupted in this pool; nothing that "
                        "it does is recorded"
                    )
                    continue
                _log.warning(
                    "Its process ran on for %s: worker process %d is killed",
                    duration(self._grace_seconds),
                    each.pid,
                )
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)

    @property
    def silent_seconds(self) -> float:
        """For how long nobody looked after the leases: a store that hangs takes its time."""
        return time.monotonic() - self._looked_at if self._thread else 0.0

    @property
    def stuck(self) -> Sequence[Hold]:
        """The executions that run on in this process although it lost them a lease ago."""
        now = time.monotonic()
        return [
            each.hold
            for each in list(self._kept.values())
            if each.pid == self._main_pid
            and each.lost_at is not None
            and now - each.lost_at > self._lease_seconds
        ]

    @property
    def held(self) -> Sequence[Hold]:
        """What is kept at this moment, in the main process."""
        return list(self._kept)


@contextmanager
def _about(hold: Hold, store: ExecutionStore) -> Iterator[None]:
    """Say in the log whose execution it is; what happens here is rare enough to ask the store."""
    context = {"execution_id": hold.id}
    with suppress(StoreError):
        envelope = store.envelope(hold.id)
        if envelope is not None:
            context = context_of(hold.id, envelope)
    with bound_contextvars(**context):
        yield


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
