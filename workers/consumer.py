"""Celery's consumer without the part that we have no use for, and patient with its broker."""

import time
from typing import Any, Final

from celery.worker import consumer
from celery.worker.state import maybe_shutdown

from atom.redis_replies import explained
from workers.connection import OUTAGE

_DELAYED_DELIVERY: Final = "celery.worker.consumer.delayed_delivery:DelayedDelivery"
# After a connection that was lost sooner than this, the next one waits a little.
_SHORT_LIVED_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.2

_Blueprint: Any = consumer.Consumer.Blueprint


class Consumer(consumer.Consumer):
    """A consumer that declares no queues but ours, and waits while its broker refuses it.

    Where it meets quorum queues, Celery's makes 28 more of them, for messages that are to come
    later. Ours never are: the due time of everything is in the store.
    """

    class Blueprint(_Blueprint):
        """Its parts."""

        default_steps: Final = [
            each for each in _Blueprint.default_steps if each != _DELAYED_DELIVERY
        ]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._pause_seconds = 0.0
        self._lost_at = time.monotonic()
        self._end_of_outage: Any = None

    def on_ready(self) -> None:
        """Take the broker for well once the connection has lived for a while."""
        super().on_ready()
        if self._end_of_outage is not None:
            self._end_of_outage.cancel()
        self._end_of_outage = self.timer.call_after(_SHORT_LIVED_SECONDS, OUTAGE.end)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Clean up as Celery does; then wait if connections were lost in quick succession.

        A server may let everybody in and refuse what a consumer does, for example if its user lacks
        a permission. Without a pause that would be asked for many times a second.
        """
        super().on_connection_error_after_connected(exc)
        if self._end_of_outage is not None:
            self._end_of_outage.cancel()
        lived = time.monotonic() - self._lost_at
        if lived > _SHORT_LIVED_SECONDS + self._pause_seconds:
            self._pause_seconds = 0.0
        else:
            OUTAGE.note(explained(exc))
            self._pause_seconds = min(self._pause_seconds + 1, _LONGEST_PAUSE_SECONDS)
        self._pause()
        self._lost_at = time.monotonic()

    def _pause(self) -> None:
        end = time.monotonic() + self._pause_seconds
        while time.monotonic() < end:
            maybe_shutdown()
            time.sleep(_LOOK_SECONDS)
