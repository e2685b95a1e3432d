"""Outages in the log: one line at the start, one each minute, one at the end."""

import logging
import threading
import time
from typing import Final, Self

from atom.durations import duration

_REMINDER_SECONDS: Final = 60.0
# A cause that changes is news, at most this often.
_NEWS_SECONDS: Final = 2.0

_lock = threading.Lock()
_ongoing: dict["Outage", str] = {}


class Outage:
    """An operation that fails until it succeeds again, noted by a thread at each of its attempts.

    A thread that may stop before its process does uses it as a context manager: after the last
    attempt there is nothing that the process still waits for.
    """

    def __init__(self, logger: logging.Logger, problem: str, recovered: str) -> None:
        """Make one.

        Args:
            logger: gets the lines.
            problem: a clause, such as “Leases cannot be renewed”.
            recovered: the same for the end, such as “Leases are renewed again”.
        """
        self._logger, self._problem, self._recovered = logger, problem, recovered
        self._began_at: float | None = None
        self._logged, self._logged_at = "", 0.0

    @property
    def is_ongoing(self) -> bool:
        """Whether the last attempt failed."""
        return self._began_at is not None

    def note(self, error: Exception | str) -> None:
        """Log a failed attempt, unless one with the same cause was logged in the last minute."""
        now, sentence = time.monotonic(), f"{self._problem}: {error}"
        with _lock:
            _ongoing.pop(self, None)
            _ongoing[self] = sentence
        quiet_seconds = _REMINDER_SECONDS if sentence == self._logged else _NEWS_SECONDS
        if self._began_at is None:
            self._began_at = now
        elif now - self._logged_at < quiet_seconds:
            return
        self._logged, self._logged_at = sentence, now
        seconds = round(now - self._began_at)
        since = f" (for {duration(seconds)} now)" if seconds else ""
        self._logger.warning("%s%s", sentence, since)

    def end(self) -> None:
        """Log that an attempt succeeded, if the one before it failed."""
        if self._began_at is None:
            return
        lasted = duration(round(time.monotonic() - self._began_at))
        self._logger.info("%s, after %s", self._recovered, lasted)
        self._began_at = None
        self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()

    def _forget(self) -> None:
        with _lock:
            _ongoing.pop(self, None)


def ongoing() -> str:
    """Return what this process waits for, as noted last; empty if it waits for nothing."""
    with _lock:
        return next(reversed(_ongoing.values()), "")
