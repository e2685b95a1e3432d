"""The Redis transport of kombu, without a new client object for every operation."""

import time
from contextlib import suppress
from queue import Empty
from typing import Any, ClassVar, Final

from kombu.transport import redis

TRANSPORT: Final = "atom.broker:Transport"


def is_redis(broker_url: str) -> bool:
    """Whether a broker URL is one that this transport serves."""
    return broker_url.startswith(("redis://", "rediss://"))


class QoS(redis.QoS):
    """Acknowledgements that may come after their connection is gone.

    kombu would connect anew for one, and fails with an AttributeError, since the channel has
    forgotten where to. What is not acknowledged is delivered again, which changes nothing.
    """

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message while there is a channel to do it on."""
        if not self.channel.closed:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """The same for giving it back."""
        if not self.channel.closed:
            super().reject(delivery_tag, requeue=requeue)


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
        except self.connection_errors:  # type: ignore[attr-defined]
            super().close()

    def _basic_cancel(self, consumer_tag: str) -> None:
        """Give back at once what comes in for nobody.

        The pop that is under way may bring a message. kombu finds it when the channel is closed,
        which at the end of a worker is after all that runs has ended.
        """
        channel: Any = self  # of which kombu declares next to nothing
        super()._basic_cancel(consumer_tag)  # type: ignore[misc]
        if channel._in_poll and not channel.active_queues:
            with suppress(Empty, *channel.connection_errors):
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
