"""Scripts that Redis refuses once their caller has stopped waiting.

A command may be executed long after it was sent: Redis stood still, or the network held it back.
So a script on behalf of a caller carries the time at which the caller gives up, by the clock of
Redis, and does nothing from then on. The listener learns that clock from Redis itself.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import redis
from redis.exceptions import NoScriptError

from atom.durations import duration
from atom.errors import StoreUnanswered, StoreUnavailable

LATE: Final = b"late"  # the reply of a script that came too late, or before its time

# An older reading of the clock is not used: it would miss a clock that was set back since.
_READING_SECONDS: Final = 1.0
# Clocks are corrected by running slower or faster for a while: chrony changes them by 8 % at most.
_DRIFT: Final = 0.1
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 0.5


class _Reading(NamedTuple):
    """The clock of Redis, as one reply gave it."""

    server_ms: int
    read_at: float  # by our monotonic clock, when the reply had come

    def server_time(self, moment: float) -> int:
        """Return a time in ms by the clock of Redis that is not after this moment of ours.

        The reply was under way for a time that nobody knows, so the true one is later by that.
        """
        return self.server_ms + int((moment - self.read_at) * (1 - _DRIFT) * 1000)


class _Unanswered(Exception):
    """A command was sent, and no reply came."""

    def __init__(self, cause: redis.RedisError) -> None:
        super().__init__(cause)
        self.cause = cause


class Timely:
    """Sends scripts for callers who wait for a limited time. Safe to share between threads.

    A clock is read by connection: after a failover another server is at its end.
    """

    def __init__(self, client: Any, seconds: float) -> None:
        """Make one.

        Args:
            client: its connections are used.
            seconds: for how long a caller waits.
        """
        self._pool = client.connection_pool
        self._seconds = seconds
        self._readings: WeakKeyDictionary[Any, _Reading] = WeakKeyDictionary()

    def run(self, script: Any, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script until there is a reply, or the caller's time is over.

        The script gets two more arguments: the latest known time of Redis, and the time from which
        on it has to refuse. It recognizes its own earlier run, and returns [its result, …, the time
        of Redis]; the result is `LATE` if it refused.

        Raises:
            StoreUnanswered: it was sent, and nothing tells whether it was executed. It will not be
                executed from now on.
            StoreUnavailable, redis.RedisError: it was not executed, and will not be.
        """
        end = time.monotonic() + self._seconds
        unanswered: redis.RedisError | None = None
        pause = 0.0
        while True:
            failure: redis.RedisError | None = None
            try:
                reply = self._attempt(script, keys, arguments, end)
            except _Unanswered as lost:
                failure = unanswered = lost.cause
            except redis.RedisError as error:
                failure = error
            else:
                if reply[0] != LATE:
                    return reply
                # Its clock was set, or our reading was too old: it is right by now.
            if time.monotonic() >= end:
                self._give_up(failure, unanswered)
            if failure and not unanswered and (pause or not _is_connection_lost(failure)):
                raise failure
            time.sleep(min(pause, max(0.0, end - time.monotonic())))
            pause = min(max(_FIRST_PAUSE_SECONDS, 2 * pause), _LONGEST_PAUSE_SECONDS)

    def _give_up(
        self, failure: redis.RedisError | None, unanswered: redis.RedisError | None
    ) -> None:
        if unanswered:
            raise StoreUnanswered(
                f"Redis did not answer within {duration(self._seconds)}; whether it did what it "
                f"was asked for is not known, but from now on it will not: {unanswered}"
            ) from unanswered
        if failure:
            raise failure
        raise StoreUnavailable(
            f"Redis took longer than the {duration(self._seconds)} that a caller waits; nothing "
            "was done."
        )

    def _attempt(
        self, script: Any, keys: Sequence[str], arguments: Sequence[Any], end: float
    ) -> Any:
        """Send the script once; returns its reply.

        Raises:
            _Unanswered: it was sent.
            redis.RedisError: it was not sent, or Redis refused it.
        """
        connection = self._pool.get_connection()
        try:
            reading = self._reading(connection, end)
            times = (reading.server_ms, reading.server_time(end))
            command = ("EVALSHA", script.sha, len(keys), *keys, *arguments, *times)
            try:
                reply = self._send(connection, end, command)
            except NoScriptError:
                self._ask(connection, end, ("SCRIPT", "LOAD", script.script))
                reply = self._send(connection, end, command)
            self._readings[connection] = _Reading(reply[-1], time.monotonic())
        finally:
            self._pool.release(connection)
        return reply

    def _reading(self, connection: Any, end: float) -> _Reading:
        """Return the clock of the server at the end of this connection."""
        reading = self._readings.get(connection)
        if reading is None or time.monotonic() - reading.read_at > _READING_SECONDS:
            connection.register_connect_callback(self._forget)
            seconds, microseconds = self._ask(connection, end, ("TIME",))
            server_ms = int(seconds) * 1000 + int(microseconds) // 1000
            reading = self._readings[connection] = _Reading(server_ms, time.monotonic())
        return reading

    def _forget(self, connection: Any) -> None:
        self._readings.pop(connection, None)

    def _send(self, connection: Any, end: float, command: Sequence[Any]) -> Any:
        try:
            return self._ask(connection, end, command)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            if error.status_code:
                raise  # a reply that the driver has for a lost connection: LOADING, for example
            raise _Unanswered(error) from error

    @staticmethod
    def _ask(connection: Any, end: float, command: Sequence[Any]) -> Any:
        connection.send_command(*command)
        return connection.read_response(timeout=max(end - time.monotonic(), 0.001))


def _is_connection_lost(error: redis.RedisError) -> bool:
    return isinstance(error, redis.ConnectionError) and not error.status_code
