"""Counts of connections and threads, in memory that the processes of a server share."""

import logging
import mmap
import struct
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

from atom.server.connection import Stage

_log = logging.getLogger(__name__)

_PLACES: Final = 32  # indexed by the age of a process
_FRESH_SECONDS: Final = 3.0
_RECENT_SECONDS: Final = 60.0
_MOST_RECENT: Final = 10_000
_LOG_SECONDS: Final = 60.0


class Reason(StrEnum):
    """The reason for which the server closed a connection before it was done."""

    HANDSHAKE = "handshake"  # the TLS handshake failed or took too long
    HEAD = "head"  # the request head took too long
    BODY = "body"  # the request body was too slow
    ANSWER = "answer"  # the client did not read the answer
    UPLOAD = "upload"  # no thread was free to read a large body
    PRESSURE = "pressure"  # too many connections, or too much memory in use
    IDLE = "idle"  # no request came


_STAGES: Final = tuple(Stage)
_REASONS: Final = tuple(Reason)
# Time of writing; threads, busy threads, longest wait for a thread; recent cut-offs.
_ROW: Final = struct.Struct(f"ddddd{len(_STAGES)}d{len(_REASONS)}d")


class Traffic:
    """The connections and threads of all processes that were forked after it was made.

    A row that is read while it is written makes one figure wrong once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows = mmap.mmap(-1, _ROW.size * _PLACES)

    def row(self, place: int) -> "Row":
        """Return the row of one process."""
        return Row(self._rows, place % _PLACES * _ROW.size, self._clock)

    def stages(self) -> Mapping[str, int]:
        """Return the open connections by stage."""
        total: Counter[str] = Counter(dict.fromkeys(_STAGES, 0))
        for row in self._live():
            total.update({stage: int(row[5 + at]) for at, stage in enumerate(_STAGES)})
        return total

    def closed(self) -> Mapping[str, int]:
        """Return the connections closed so far by reason, those of ended processes included."""
        total: Counter[str] = Counter(dict.fromkeys(_REASONS, 0))
        first = 5 + len(_STAGES)
        for row in _ROW.iter_unpack(self._rows[:]):
            total.update({reason: int(row[first + at]) for at, reason in enumerate(_REASONS)})
        return total

    def details(self) -> Mapping[str, str]:
        """Return the state of the server as texts for its presence; empty before it serves."""
        rows = list(self._live())
        if not rows:
            return {}
        return {
            "threads": str(int(sum(row[1] for row in rows))),
            "busy_threads": str(int(sum(row[2] for row in rows))),
            "thread_wait_seconds": f"{max(row[3] for row in rows):.1f}",
            "cut_off_per_minute": str(int(sum(row[4] for row in rows))),
        }

    def threads(self) -> tuple[int, int]:
        """Return the number of threads and of busy ones."""
        rows = list(self._live())
        return int(sum(row[1] for row in rows)), int(sum(row[2] for row in rows))

    def _live(self) -> Iterator[tuple[float, ...]]:
        now = self._clock()
        for row in _ROW.iter_unpack(self._rows[:]):
            if row[0] and now - row[0] < _FRESH_SECONDS:
                yield row


class Row:
    """The counts of one process; written by its event loop only."""

    def __init__(self, rows: mmap.mmap, offset: int, clock: Callable[[], float]) -> None:
        self._rows, self._offset, self._clock = rows, offset, clock
        # A process that takes the place of a dead one goes on counting.
        self._closed = list(_ROW.unpack_from(rows, offset)[5 + len(_STAGES) :])
        self._recent: deque[float] = deque(maxlen=_MOST_RECENT)
        self._unlogged: Counter[Reason] = Counter()
        self._log_at = 0.0

    def count(self, reason: Reason) -> None:
        """Count a connection that was closed."""
        self._closed[_REASONS.index(reason)] += 1
        if reason is not Reason.IDLE:
            self._recent.append(self._clock())
            self._unlogged[reason] += 1

    def publish(self, threads: int, busy: int, wait: float, stages: Mapping[Stage, int]) -> None:
        """Write the counts, and at most once a minute a line of the log.

        Args:
            threads: the most that may run.
            busy: those that answer a request.
            wait: seconds for which a request has been waiting for a thread.
            stages: open connections.
        """
        now = self._clock()
        while self._recent and self._recent[0] < now - _RECENT_SECONDS:
            self._recent.popleft()
        values = (threads, busy, wait, len(self._recent), *(stages[stage] for stage in _STAGES))
        _ROW.pack_into(self._rows, self._offset, now, *values, *self._closed)
        if self._unlogged and now >= self._log_at:
            self._log_at = now + _LOG_SECONDS
            reasons = ", ".join(f"{count} {reason}" for reason, count in self._unlogged.items())
            _log.warning("Closed connections of slow or too many clients: %s", reasons)
            self._unlogged.clear()


TRAFFIC: Final = Traffic()
"""Of the server that this process or its parent runs."""
