"""A gunicorn worker for few, busy connections, as a flow platform keeps them open.

All that is asked over one is answered by the process that took it. So a process leaves new ones to
whichever of its like has the fewest: otherwise the one that happens to be quickest takes nearly all
of them, and the others, and their cores, have nothing to do.

What follows at once on the same connection is answered by the same thread: gunicorn's way, through
a poller and a queue to any thread, takes longer than many a request.
"""

import mmap
import select
import struct
import time
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

_COUNT: Final = struct.Struct("dd")  # when it was written, and how many connections
_PLACES: Final = 32  # a process has the place of its age: those of the dead grow old
# A worker writes at least once a second; who did not for so long is dead, or does not accept.
_FRESH_SECONDS: Final = 3.0
# So many more than the one with the fewest may a process have, or a quarter more.
_SLACK: Final = 4
# How soon a process that leaves connections to others looks whether it still does: the threads
# that go on with theirs do not wake its loop.
_LOOK_SECONDS: Final = 0.005
# How long a thread waits for the next request on its connection, if nobody else needs it.
_NEXT_MS: Final = 5

_counts: Final = mmap.mmap(-1, _COUNT.size * _PLACES)  # shared by all that are forked from here


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Takes a connection only while it has hardly more than the one that has the fewest."""

    def handle(self, conn: Any) -> Any:
        """Answer a request, and those that follow it at once; runs in a thread of the pool."""
        keeps = super().handle(conn)
        while keeps is True and self._has_next(conn):
            keeps = super().handle(conn)
        return keeps

    def _has_next(self, conn: Any) -> bool:
        if not self.alive or self.tpool._work_queue.qsize() or conn.is_http2:
            return False
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(_NEXT_MS))

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """One turn of gunicorn's loop."""
        super().wait_for_and_dispatch_events(
            timeout if self._accepting else min(timeout, _LOOK_SECONDS)
        )

    @property
    def worker_connections(self) -> int:
        """How many connections there may be now; gunicorn asks at each turn of its loop."""
        now = time.monotonic()
        _COUNT.pack_into(_counts, self.age % _PLACES * _COUNT.size, now, self.nr_conns)
        fewest = min(
            count for at, count in _COUNT.iter_unpack(_counts[:]) if now - at < _FRESH_SECONDS
        )
        return min(self._most, int(fewest + max(_SLACK, fewest // 4)))

    @worker_connections.setter
    def worker_connections(self, most: Any) -> None:
        self._most = int(most)
