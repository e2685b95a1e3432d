"""The threads of a server process, each of which answers one request at a time."""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from atom.server.application import Application, Outcome
from atom.server.connection import Connection
from atom.server.message import Missing

_log = logging.getLogger(__name__)

# A thread waits this long for the next request on its connection if no other request needs it:
# the way through the event loop takes longer than many requests.
_NEXT_SECONDS: Final = 0.005


class Threads:
    """A pool of threads, started as they are needed."""

    def __init__(
        self,
        application: Application,
        limit: int,
        done: Callable[[Connection, Outcome], None],
    ) -> None:
        """Make one without threads.

        Args:
            application: answers requests.
            limit: the most threads.
            done: takes a connection back; called in the thread.
        """
        self._application, self.limit, self._done = application, limit, done
        self._jobs: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._queued_at: deque[float] = deque()
        self._taken = self._started = 0
        self.keeps_connections = True

    def put(self, connection: Connection) -> None:
        """Have the request of a connection answered; called by the event loop."""
        self._taken += 1
        if self._taken > self._started and self._started < self.limit:
            self._started += 1
            name = f"request-{self._started}"
            threading.Thread(target=self._run, name=name, daemon=True).start()
        self._queued_at.append(time.monotonic())
        self._jobs.put(connection)

    def took_back(self) -> None:
        """Count a connection that `done` gave back; called by the event loop."""
        self._taken -= 1

    @property
    def busy(self) -> int:
        """Return the number of threads that answer a request."""
        return min(self._taken, self.limit)

    def wait(self, now: float) -> float:
        """Return for how many seconds the longest waiting request has had no thread."""
        try:
            return max(0.0, now - self._queued_at[0])
        except IndexError:
            return 0.0

    def end(self) -> None:
        """End the threads once they have answered what is queued."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _run(self) -> None:
        while (connection := self._jobs.get()) is not None:
            self._queued_at.popleft()
            outcome = Outcome.LOST
            try:
                outcome = self._serve(connection)
            except BaseException:  # no thread is lost to a bug
                _log.exception("A connection was lost")
            self._done(connection, outcome)

    def _serve(self, connection: Connection) -> Outcome:
        """Answer a request, and those that follow it at once."""
        while True:
            outcome = self._application.answer(connection, keeps=self.keeps_connections)
            if outcome is not Outcome.KEEP or not self._has_next(connection):
                return outcome

    def _has_next(self, connection: Connection) -> bool:
        if not self.keeps_connections or self._queued_at or connection.is_upload:
            return False
        message = connection.message
        until = time.monotonic() + _NEXT_SECONDS
        while not message.buffer or message.missing() is not Missing.NOTHING:
            if not connection.wait_for_data(until - time.monotonic()):
                return False
            size = len(message.buffer)
            connection.receive()
            if connection.has_ended or len(message.buffer) == size:
                return False
        # A thread is not to wait for a client that leaves its answers unread.
        return connection.is_writable
