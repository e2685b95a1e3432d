"""Keeping the leases of the executions that this worker process runs."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from atom.errors import StoreUnavailable
from atom.records import Claim
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)

# Three renewals may be missed before the lease ends.
_RENEWALS_PER_LEASE: Final = 4


class Lease:
    """The lease of one claim; `lost` once somebody else may hold the execution."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.lost = False


class LeaseKeeper:
    """Renews leases from one thread per process, started with the first claim."""

    def __init__(self, store: ExecutionStore, lease_seconds: float) -> None:
        self._store = store
        self._interval = lease_seconds / _RENEWALS_PER_LEASE
        self._held: dict[str, tuple[Lease, float]] = {}  # id → lease, when to renew it next
        self._lock = threading.Lock()
        self._pid = 0

    @contextmanager
    def keep(self, claim: Claim) -> Iterator[Lease]:
        """Renew the claim's lease for as long as the block runs."""
        lease = Lease(claim)
        if self._pid != os.getpid():  # threads do not survive a fork
            self._pid = os.getpid()
            self._lock = threading.Lock()
            self._held = {}
            threading.Thread(target=self._run, name="lease-keeper", daemon=True).start()
        with self._lock:
            self._held[claim.id] = (lease, time.monotonic() + self._interval)
        try:
            yield lease
        finally:
            with self._lock:
                self._held.pop(claim.id, None)

    def _run(self) -> None:
        while True:
            time.sleep(self._interval / 4)
            now = time.monotonic()
            with self._lock:
                due = [lease for lease, at in self._held.values() if at <= now]
            for lease in due:
                self._renew(lease)

    def _renew(self, lease: Lease) -> None:
        log_extra = {"execution_id": lease.claim.id}
        try:
            renewed = self._store.renew(lease.claim)
        except StoreUnavailable as error:
            _log.warning("The lease could not be renewed: %s", error, extra=log_extra)
            return  # tried again at the next turn; the store decides who holds it
        except Exception:
            _log.exception("The lease could not be renewed", extra=log_extra)
            return
        with self._lock:
            held = self._held.get(lease.claim.id)
            if held is None or held[0] is not lease:
                return  # it ended while it was being renewed
            if renewed:
                self._held[lease.claim.id] = (lease, time.monotonic() + self._interval)
                return
            del self._held[lease.claim.id]
        lease.lost = True
        _log.warning("This worker lost the execution: its lease ran out", extra=log_extra)
