"""The Redis transport of kombu, made quicker, and mended where an outage would end a worker."""

import time
from contextlib import suppress
from queue import Empty
from typing import Any, ClassVar

import orjson
from kombu.transport import redis

from atom.names import PROBE

_library: Any = redis  # of which kombu's stubs lack much
_ResponseError: Any = _library.exceptions.ResponseError
# Celery ends a worker at an error that is none of the connection. A server that refuses (too few
# replicas, read-only, full, a missing permission, a long script) may be well again in a moment.
_ERRORS: tuple[type[Exception], ...] = (*redis.Transport.connection_errors, _ResponseError)
_PROBE_SECONDS = 60


class Channel(redis.Channel):
    """A channel that keeps the client of its connection pool.

    kombu makes a new one for each push, pop and acknowledgement, and making one (its table of
    some hundred reply parsers) takes longer than the operation. A client over a pool has no state
    of its own, so one serves all.
    """

    # Nothing is written down of a message that was taken, and it need not be acknowledged in Redis:
    # it is only a hint. What its worker was running when it died is found by its lease, what it had
    # not begun by recovery. That saves four commands in two round trips for each message.
    ack_emulation = False

    asked_at: ClassVar[float] = 0.0
    """When a consumer of this process last asked for messages, by `time.monotonic`."""

    _kept: tuple[Any, Any] | None = None  # the pool, and the client over it

    def send(self, message: Any, queue: str) -> None:
        """Put a message into a queue."""
        self.basic_publish(message, exchange="", routing_key=queue)

    def close(self) -> None:
        """Close it at the first call, whatever has become of the connection.

        kombu's way stops at the reply of a BRPOP under way, which a lost connection does not
        give. Closing again, as Celery does, then ends the worker with an AttributeError.
        """
        try:
            super().close()
        except _ERRORS:
            self.auto_delete_queues.clear()  # they cannot be deleted now
            super().close()

    def _basic_cancel(self, consumer_tag: str) -> None:
        """Give back at once what comes in for nobody.

        The pop that is under way may bring a message. kombu finds it when the channel is closed,
        which at the end of a worker is after all that runs has ended.
        """
        channel: Any = self  # of which kombu declares next to nothing
        super()._basic_cancel(consumer_tag)  # type: ignore[misc]
        if channel._in_poll and not channel.active_queues:
            with suppress(Empty, *_ERRORS):
                channel._brpop_read()

    def _brpop_start(self, timeout: float | None = None) -> None:
        super()._brpop_start(timeout)  # type: ignore[misc]
        Channel.asked_at = time.monotonic()

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        """Deliver a message; one of ours, which goes the plain way, without kombu's slower JSON."""
        channel: Any = self
        if options or channel._expires or message["properties"].get("priority"):
            super()._put(queue, message, **options)
            return
        with channel.conn_or_acquire() as client:
            client.lpush(queue, orjson.dumps(message))

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        """Put a message back that was taken; without Redis, recovery sends another one."""
        with suppress(*_ERRORS):
            super()._restore(message, leftmost)  # type: ignore[call-arg]

    def check_writable(self) -> None:
        """Raise the driver's error if the server takes no write at the moment."""
        self._create_client().set(PROBE, "", ex=_PROBE_SECONDS)

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:  # the consumer's own connections are made once each
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept is None or self._kept[0] is not self.pool:
            self._kept = (self.pool, super()._create_client())  # type: ignore[misc]
        return self._kept[1]


class _PatientTransport(redis.Transport):
    """A transport for which each refusal of the server is a lost connection.

    So whoever consumes connects again, which succeeds once the server takes writes.
    """

    connection_errors = _ERRORS
    channel_errors = tuple(
        each for each in redis.Transport.channel_errors if each is not _ResponseError
    )

    def establish_connection(self) -> Any:
        """Connect.

        Raises:
            redis.RedisError: the server does not answer, or takes no writes.
        """
        connection: Any = super().establish_connection()
        try:
            connection._avail_channels[-1].check_writable()
        except _ERRORS:
            self.close_connection(connection)
            raise
        return connection


class Transport(_PatientTransport):
    """The transport of such channels."""

    Channel = Channel


class SentinelChannel(Channel, redis.SentinelChannel):
    """Such a channel to the Redis that Sentinel says is the primary one.

    All Sentinels are named in an option, in place of kombu's several URLs.
    """

    from_transport_options = (*redis.SentinelChannel.from_transport_options, "sentinels")

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:
        channel: Any = self
        given = channel._connparams(asynchronous)
        options = {name: given[name] for name in given.keys() - {"host", "port"}}
        manager = _library.sentinel.Sentinel(
            channel.sentinels, sentinel_kwargs=channel.sentinel_kwargs, **options
        )
        # Where kombu looks for the connections to close in the end.
        name = "_async_sentinel_manager" if asynchronous else "_sentinel_manager"
        setattr(self, name, manager)
        return manager.master_for(channel.master_name, _library.redis.Redis).connection_pool


class SentinelTransport(_PatientTransport, redis.SentinelTransport):
    """The transport of those."""

    Channel = SentinelChannel
