"""The Redis transport of kombu, made quicker, and mended where an outage would end a worker."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from typing import Any, ClassVar, Final

from kombu.transport import redis, virtual

_log = logging.getLogger(__name__)

TRANSPORT: Final = "atom.broker:Transport"


def is_redis(broker_url: str) -> bool:
    """Whether a broker URL is one that this transport serves."""
    return broker_url.startswith(("redis://", "rediss://"))


class QoS(redis.QoS):
    """Acknowledgements that may come while Redis is away, or after their connection is gone.

    kombu's fail then, and what they leave behind is worse: one that ran into a timeout never gives
    its room for a message free, and one without a channel ends in an AttributeError. What is not
    acknowledged in Redis is delivered again some day, which changes nothing.
    """

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message, and make room for another in any case."""
        self._settle(delivery_tag, lambda: super(QoS, self).ack(delivery_tag))

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """The same for refusing it or giving it back."""
        self._settle(delivery_tag, lambda: super(QoS, self).reject(delivery_tag, requeue=requeue))

    def _settle(self, delivery_tag: str, settle: Callable[[], None]) -> None:
        if self.channel.closed:
            return
        try:
            settle()
        except redis.Transport.connection_errors as error:
            _log.warning("A message could not be acknowledged: %s", error)
            virtual.QoS.ack(self, delivery_tag)


class Channel(redis.Channel):
    """A channel that keeps the client of its connection pool.

    kombu makes a new one for each push, pop and acknowledgement, and making one (its table of
    some hundred reply parsers) takes longer than the operation. A client over a pool has no state
    of its own, so one serves all.
    """

    QoS = QoS

    asked_at: ClassVar[float] = 0.0
    """When a consumer of this process last asked for messages, by `time.monotonic`."""

    _kept: tuple[Any, Any] | None = None  # the pool, and the client over it

    def close(self) -> None:
        """Close it at the first call, whatever has become of the connection.

        kombu's way stops at the reply of a BRPOP under way, which a lost connection does not
        give. Closing again, as Celery does, then ends the worker with an AttributeError.
        """
        try:
            super().close()
        except redis.Transport.connection_errors:
            super().close()

    def _basic_cancel(self, consumer_tag: str) -> None:
        """Give back at once what comes in for nobody.

        The pop that is under way may bring a message. kombu finds it when the channel is closed,
        which at the end of a worker is after all that runs has ended.
        """
        channel: Any = self  # of which kombu declares next to nothing
        super()._basic_cancel(consumer_tag)  # type: ignore[misc]
        if channel._in_poll and not channel.active_queues:
            with suppress(Empty, *redis.Transport.connection_errors):
                channel._brpop_read()

    def _brpop_start(self, timeout: float | None = None) -> None:
        super()._brpop_start(timeout)  # type: ignore[misc]
        Channel.asked_at = time.monotonic()

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:  # the consumer's own connections are made once each
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept is None or self._kept[0] is not self.pool:
            self._kept = (self.pool, super()._create_client())  # type: ignore[misc]
        return self._kept[1]


class Transport(redis.Transport):
    """The transport of such channels."""

    Channel = Channel
