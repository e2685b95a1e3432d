"""A gunicorn worker that leaves new connections to whichever of its like has the fewest.

Whoever calls keeps connections open, and all that is asked over one is answered by the process that
took it. Without this the process that happens to be quickest takes nearly all of them, and the
others, and their cores, have nothing to do.
"""

import mmap
import struct
import time
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

_COUNT: Final = struct.Struct("dd")  # when it was written, and how many connections
_PLACES: Final = 256  # a process has the place of its age: those of the dead grow old
# A worker writes at least once a second; who did not for so long is dead, or does not accept.
_FRESH_SECONDS: Final = 3.0
_SLACK: Final = 2

_counts: Final = mmap.mmap(-1, _COUNT.size * _PLACES)  # shared by all that are forked from here


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Takes a connection only while it has hardly more than the one that has the fewest."""

    @property
    def worker_connections(self) -> int:
        """How many connections there may be now; gunicorn asks at each turn of its loop."""
        now = time.monotonic()
        _COUNT.pack_into(_counts, self.age % _PLACES * _COUNT.size, now, self.nr_conns)
        fewest = min(
            count for at, count in _COUNT.iter_unpack(_counts[:]) if now - at < _FRESH_SECONDS
        )
        return min(self._most, int(fewest) + _SLACK)

    @worker_connections.setter
    def worker_connections(self, most: Any) -> None:
        self._most = int(most)
