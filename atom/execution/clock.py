"""The store's clock under the eyes of recovery."""

import logging
import time
from typing import Final

from atom.store import ExecutionStore

_log = logging.getLogger(__name__)

# What a clock gains while it is slowly corrected is less.
_TOLERANCE_SECONDS: Final = 3.0


class Clock:
    """Notices that the store's clock was set, and has due times recomputed after a step back.

    A step back is known by the latest time that any recovery saw, so one that starts later notices
    it as well. A step forward is known by the monotonic clock of this process alone: without it,
    nobody could tell a step from a time in which no recovery ran.
    """

    def __init__(self, store: ExecutionStore) -> None:
        self._store = store
        self._before: tuple[float, float] | None = None  # the clock, and ours before it was read
        self.can_judge_leases = True
        """Whether each worker has had the time to renew its leases."""

    def watch(self) -> int:
        """Read the clock; return how many due times were recomputed.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        asked_at = time.monotonic()
        reading = self._store.observe_clock()
        forward_seconds = self._forward_seconds(reading.seconds)
        self._before = (reading.seconds, asked_at)
        if forward_seconds:
            _log.warning(
                "The clock of Redis was set forward by %.0f s: what was due in between is done "
                "now. Synchronize the clock of its host.",
                forward_seconds,
            )
            reading = self._store.observe_clock(forward_seconds)
        if reading.set_back_seconds:
            _log.warning(
                "The clock of Redis was set back by %.0f s: due times are recomputed. Synchronize "
                "the clock of its host.",
                reading.set_back_seconds,
            )
        self.can_judge_leases = reading.can_judge_leases
        return self._store.recompute_due_times() if reading.has_wrong_due_times else 0

    def _forward_seconds(self, now: float) -> float:
        """By how much more the clock has advanced than can have passed; 0 within the tolerance."""
        if self._before is None:
            return 0.0
        seconds, asked_at = self._before
        forward = now - seconds - (time.monotonic() - asked_at)
        return forward if forward > _TOLERANCE_SECONDS else 0.0
