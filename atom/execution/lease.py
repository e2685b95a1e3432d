"""The lease of one execution, as the process that runs it sees it."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from atom.errors import ClaimLost, StoreForbidden, StoreUnavailable
from atom.records import Claim
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

# How old an answer of the store may be that the process is told with `execution.cancelled`.
_NEWS_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.5
# How long permissions may be missing; an operator may be changing user or password.
_FORBIDDEN_SECONDS: Final = 60.0


class Lease:
    """Knows whether the claim still counts; whoever renews it does that elsewhere.

    What the store said is good for a while; a process that was stalled finds its knowledge too old
    and asks again. Without the store nobody knows: what runs goes on, nothing new begins.
    """

    def __init__(
        self, claim: Claim, store: ExecutionStore, lease_seconds: float, asked_at: float
    ) -> None:
        """Make one; `asked_at` is the time (`time.monotonic`) just before the claim was asked for.

        What counts is when the store was asked: the process may be stalled before it reads the
        answer, and somebody else may hold the execution by then.
        """
        self._claim, self._store = claim, store
        self._trusted_seconds = lease_seconds / 2
        self._is_lost = False
        self._asked_at = self._claimed_at = asked_at

    def confirm(self, asked_at: float) -> None:
        """The store accepted a write of this claim that it was asked for at that time."""
        self._asked_at = max(self._asked_at, asked_at)

    def now(self) -> datetime:
        """Return the time by the store's clock, from the claim on: this host's may be wrong."""
        held_seconds = time.monotonic() - self._claimed_at
        return self._claim.claimed_at + timedelta(seconds=held_seconds)

    @property
    def lost(self) -> bool:
        """Whether the claim is known to count no longer: cancelled, timed out, or taken over."""
        try:
            return self._ask(_NEWS_SECONDS)
        except StoreUnavailable:
            return False

    def check(self) -> None:
        """Keep the process from beginning something that somebody else may be doing.

        Cut off from the store it waits: another worker may not be, and may have taken over.

        Raises:
            ClaimLost: the claim counts no longer.
            StoreUnavailable: not before the deadline of the execution.
        """
        if self.patiently(lambda: self._ask(self._trusted_seconds)):
            raise ClaimLost(self._claim.id)

    def sleep(self, seconds: float) -> None:
        """Wait, but not for longer than the claim counts.

        Raises:
            ClaimLost: it counts no longer.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _NEWS_SECONDS))
            if self.lost:
                raise ClaimLost(self._claim.id)

    def patiently(self, ask: Callable[[], _T]) -> _T:
        """Ask the store until it answers: its absence is no reason for an execution to fail.

        Permissions may be about to change as well, but only for a while: an execution whose write
        the store does not permit would take a slot until its deadline.

        Raises:
            StoreUnavailable: not before the deadline of the execution.
            StoreForbidden: not before a minute has passed.
            StoreRefused: at once.
            ClaimLost: as `ask` does.
        """
        told, began = False, time.monotonic()
        while True:
            try:
                return ask()
            except StoreUnavailable as error:
                if self.now() > self._claim.deadline:
                    raise
                waited = time.monotonic() - began
                if isinstance(error, StoreForbidden) and waited >= _FORBIDDEN_SECONDS:
                    raise
                if not told:
                    _log.warning("Waiting for the store: %s", error)
                told = True
            time.sleep(_AGAIN_SECONDS)

    def _ask(self, good_for_seconds: float) -> bool:
        asked_at = time.monotonic()
        if not self._is_lost and asked_at - self._asked_at > good_for_seconds:
            self._is_lost = not self._store.holds(self._claim)
            self.confirm(asked_at)
        return self._is_lost
