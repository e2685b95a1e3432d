"""The Redis transport of kombu, without a new client object for every operation."""

from typing import Any, Final

from kombu.transport import redis

TRANSPORT: Final = "atom.broker:Transport"


def is_redis(broker_url: str) -> bool:
    """Whether a broker URL is one that this transport serves."""
    return broker_url.startswith(("redis://", "rediss://"))


class Channel(redis.Channel):
    """A channel that keeps the client of its connection pool.

    kombu makes a new one for each push, pop and acknowledgement, and making one (its table of
    some hundred reply parsers) takes longer than the operation. A client over a pool has no state
    of its own, so one serves all.
    """

    _kept: tuple[Any, Any] | None = None  # the pool, and the client over it

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:  # the consumer's own connections are made once each
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept is None or self._kept[0] is not self.pool:
            self._kept = (self.pool, super()._create_client())  # type: ignore[misc]
        return self._kept[1]


class Transport(redis.Transport):
    """The transport of such channels."""

    Channel = Channel
