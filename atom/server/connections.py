"""The open connections of a server process: their stages, deadlines and places in the selector."""

import selectors
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from atom.server.connection import Connection, Stage
from atom.server.limits import MAX_HELD_BYTES_IN_ALL

# Under pressure the first of these groups that has a connection loses its oldest one.
_CLOSED_FIRST: Final = (
    frozenset({Stage.CLOSING, Stage.IDLE}),
    frozenset({Stage.HANDSHAKE, Stage.HEAD, Stage.BODY, Stage.UPLOAD, Stage.UNREAD}),
)


class Connections:
    """All connections of a process, the oldest first."""

    def __init__(self) -> None:
        self.selector: Final = selectors.DefaultSelector()
        self.stages: Final[Counter[Stage]] = Counter()
        self.next_deadline = 0.0
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over a copy."""
        return iter(list(self._open))

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._open

    @property
    def active(self) -> int:
        """Return the number of connections that are not about to be closed."""
        return len(self) - self.stages[Stage.CLOSING]

    def add(self, connection: Connection, seconds: float) -> None:
        """Add an accepted connection, whose first stage may take this long."""
        self._open[connection] = None
        self.stages[connection.stage] += 1
        connection.since = time.monotonic()
        self.enter(connection, connection.stage, seconds)
        self.watch(connection)

    def enter(self, connection: Connection, stage: Stage, seconds: float) -> None:
        """Change the stage of a connection, which expires after this many seconds."""
        self.stages[connection.stage] -= 1
        self.stages[stage] += 1
        connection.stage = stage
        self.set_deadline(connection, time.monotonic() + seconds)

    def set_deadline(self, connection: Connection, deadline: float) -> None:
        """Set when a connection expires, in monotonic seconds."""
        connection.deadline = deadline
        self.next_deadline = min(self.next_deadline, deadline)

    def watch(self, connection: Connection, event: int = selectors.EVENT_READ) -> None:
        """Have the selector report a connection."""
        if connection.is_watched:
            self.selector.modify(connection.sock, event, connection)
        else:
            self.selector.register(connection.sock, event, connection)
            connection.is_watched = True

    def unwatch(self, connection: Connection) -> None:
        """Have the selector report it no longer."""
        if connection.is_watched:
            self.selector.unregister(connection.sock)
            connection.is_watched = False

    def drop(self, connection: Connection) -> None:
        """Close a connection at once."""
        self.unwatch(connection)
        if connection in self._open:
            del self._open[connection]
            self.stages[connection.stage] -= 1
        connection.close()

    def expired(self, now: float) -> Iterable[Connection]:
        """Return the connections whose deadline is over, and find the next deadline."""
        expired = [connection for connection in self._open if connection.deadline <= now]
        later = (each.deadline for each in self._open if each.deadline > now)
        self.next_deadline = min(later, default=float("inf"))
        return expired

    def oldest(self) -> Connection | None:
        """Return the connection to close first under pressure: an idle one, else an unfinished."""
        for stages in _CLOSED_FIRST:
            if any(self.stages[stage] for stage in stages):
                candidates = (each for each in self._open if each.stage in stages)
                return min(candidates, key=_since)
        return None

    def excess(self) -> Iterable[Connection]:
        """Return the oldest unfinished requests that together hold more memory than allowed."""
        bodies = [connection for connection in self._open if connection.stage is Stage.BODY]
        held = sum(len(connection.message.buffer) for connection in bodies)
        for connection in sorted(bodies, key=_since):
            if held <= MAX_HELD_BYTES_IN_ALL:
                return
            held -= len(connection.message.buffer)
            yield connection

    def close(self) -> None:
        """Close all but those that threads have."""
        for connection in self:
            if connection.stage is not Stage.ANSWERING:
                self.drop(connection)
        self.selector.close()


def _since(connection: Connection) -> Any:
    return connection.since
