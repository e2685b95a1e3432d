"""Broker connections that come back soon after an outage."""

from typing import Any, Final

import kombu
from celery.app import amqp

_INTERVALS: Final = {"interval_start": 1, "interval_step": 1, "interval_max": 5}


class Connection(kombu.Connection):
    """A connection that is tried again every 5 s at the latest; kombu would wait up to 30 s."""

    def ensure_connection(  # type: ignore[override]  # kombu's own takes them like this
        self, *args: Any, **kwargs: Any
    ) -> kombu.Connection:
        """Connect, however long it takes, as kombu does it but for the intervals."""
        return super().ensure_connection(*args, **{**_INTERVALS, **kwargs})


class AMQP(amqp.AMQP):
    """What Celery makes its connections and messages with."""

    Connection = Connection
