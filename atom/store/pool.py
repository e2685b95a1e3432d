"""A pool of connections to Redis that hands out again at once what came back in order."""

import os
import sys
import time
from typing import Any, Final

import redis
from redis.sentinel import SentinelConnectionPool

# An idle connection may have been closed by the other side meanwhile.
_FRESH_SECONDS: Final = 0.1


class _Fresh(redis.ConnectionPool):
    """A pool of the driver's, without its care for a connection that was in use a moment ago.

    That care (two locks, a look whether the socket has something to read) takes a fifth of a short
    command. After a pause it is taken. After an exception the connection is closed: whoever asked
    may have been interrupted, and the reply be taken for that to the next command.
    Like the driver's, it may be shared between threads, and used after a fork.
    """

    _fresh: list[tuple[Any, float]]  # connections in use for the driver, and since when in fact not

    def reset(self) -> None:
        """Forget all connections, as in a process that was forked."""
        self._fresh = []
        super().reset()

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """See the driver."""
        if self.pid == os.getpid():
            try:
                connection, since = self._fresh.pop()  # that and append() are atomic
            except IndexError:
                pass
            else:
                if time.monotonic() - since < _FRESH_SECONDS:
                    return connection
                super().release(connection)
        return super().get_connection(*args, **options)

    def release(self, connection: Any) -> None:
        """See the driver; closes it where that happens while an exception is raised or handled."""
        if sys.exception() is not None:
            connection.disconnect()
        elif connection.pid == self.pid == os.getpid() and not connection.should_reconnect():
            self._fresh.append((connection, time.monotonic()))
            return
        super().release(connection)


class FreshPool(_Fresh):
    """Connections to one Redis."""


class FreshSentinelPool(_Fresh, SentinelConnectionPool):
    """Connections to the Redis that Sentinel says is the primary one.

    Sentinel cuts every client off from one that no longer is; and should it be let in again, its
    connection is closed at the first write.
    """
