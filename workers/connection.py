"""Broker connections that come back soon after an outage."""

import logging
from typing import Any, Final

import kombu
from celery.app import amqp

from atom.outage import Outage
from atom.redis_replies import explained

_log = logging.getLogger(__name__)

_INTERVALS: Final = {"interval_start": 1, "interval_step": 1, "interval_max": 5}

# Of this process, which consumes or ticks.
OUTAGE: Final = Outage(
    _log,
    "The broker does not answer as it should, and this role waits for it",
    "The broker answers again",
)


class Connection(kombu.Connection):
    """A connection that is tried again every 5 s at the latest; kombu would wait up to 30 s."""

    def ensure_connection(  # type: ignore[override]  # kombu's own takes them like this
        self, errback: Any = None, *args: Any, **kwargs: Any
    ) -> kombu.Connection:
        """Connect, however long it takes.

        Args:
            errback: not called. It would log an error for each attempt; an outage is logged at its
                start, each minute, and at its end.
            args: as kombu has them.
            kwargs: the same.
        """
        errors: list[Exception] = []

        def note(error: Exception, _: float) -> None:
            errors.append(error)
            OUTAGE.note(explained(error))

        connected = super().ensure_connection(note, *args, **{**_INTERVALS, **kwargs})
        if errors:  # else a server may let us in, and refuse what comes next
            OUTAGE.end()
        return connected


class AMQP(amqp.AMQP):
    """What Celery makes its connections and messages with."""

    Connection = Connection
