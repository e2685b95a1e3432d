"""Shares new connections evenly among the processes of a server.

All requests of a connection are answered by the process that accepted it, and a flow platform
keeps few, busy connections open. Without sharing, the quickest process accepts nearly all of them
and the other cores stay idle.
"""

import mmap
import struct
import time
from typing import Final

_COUNT: Final = struct.Struct("dd")  # when it was written, and the number of connections
_PLACES: Final = 32  # indexed by the age of a process
# Each process writes at least once a second; an older count belongs to a dead process.
_FRESH_SECONDS: Final = 3.0
# A process may have this many more than the one with the fewest, or a quarter more.
_SLACK: Final = 4

_counts: Final = mmap.mmap(-1, _COUNT.size * _PLACES)  # shared by all processes forked from here


class Balance:
    """The connection counts of all processes, and the share of this one."""

    def __init__(self, age: int) -> None:
        """Take the place of a process; gunicorn numbers them by age."""
        self._offset = age % _PLACES * _COUNT.size

    def accepts(self, connections: int) -> bool:
        """Publish the number of open connections; returns whether to accept another one."""
        now = time.monotonic()
        _COUNT.pack_into(_counts, self._offset, now, connections)
        fewest = min(
            count for at, count in _COUNT.iter_unpack(_counts[:]) if now - at < _FRESH_SECONDS
        )
        return bool(connections < fewest + max(_SLACK, fewest // 4))
