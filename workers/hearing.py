"""The last resort for a worker that no longer hears its broker: it ends."""

import logging
from abc import abstractmethod
from typing import Any, ClassVar

from celery.platforms import EX_FAILURE
from celery.worker import state

from atom.broker.redis import Channel
from atom.durations import duration
from workers.ending import Ending
from workers.silence import Silence

_log = logging.getLogger(__name__)

DEAF_LOOKS = 30


class Hearing(Silence):
    """Looks whether the consumer still does what a consumer of its broker does all the time.

    Connections that were lost in silence are mended by kombu and Celery, and that is tested. This
    is for what they do not know of: a worker that lives and takes nothing for ever.
    """

    deaf: ClassVar[str]
    """What a deaf one does, as the end of a sentence."""

    def __init__(self, worker: Any, ending: Ending) -> None:
        super().__init__(worker, ending)
        self._last = self._mark()

    @property
    def wrong(self) -> str:
        """What a health check is to know: half of the time before the worker ends, or nothing."""
        if self._silent_looks < DEAF_LOOKS / 2:
            return ""
        return f"it {self.deaf} for {duration(self._silent_seconds)}, although the broker answers"

    def look(self) -> None:
        """Count a silent look, and end the worker at the last of so many."""
        super().look()
        if self._silent_looks == DEAF_LOOKS:
            _log.critical(
                "This worker %s for %s, although the broker answers: it ends, so that it is "
                "started again",
                self.deaf,
                duration(self._silent_seconds),
            )
            self._ending.begin(EX_FAILURE)

    def _is_silent(self) -> bool:
        before, self._last = self._last, self._mark()
        return before == self._last and self._should_hear()

    @abstractmethod
    def _mark(self) -> Any:
        """Something that is another one each time that something was done."""

    @abstractmethod
    def _should_hear(self) -> bool:
        """Whether it is to do something all the time."""


class AsksRedis(Hearing):
    """A consumer of Redis asks for a message, again and again."""

    deaf = "has room but has not asked for messages"

    def _mark(self) -> float:
        return Channel.asked_at

    def _should_hear(self) -> bool:
        """It has begun to, has room, and nobody told it (from Flower, say) to consume nothing."""
        consumer = self._worker.consumer.task_consumer
        if not Channel.asked_at or (consumer is not None and not consumer.queues):
            return False
        return bool(len(state.reserved_requests) < self._worker.pool.num_processes)


class HearsRabbitMQ(Hearing):
    """RabbitMQ sends what there is, and a heartbeat where there is nothing."""

    deaf = "has read nothing from its broker, not even a heartbeat,"

    def _mark(self) -> tuple[int, int]:
        connection = self._connection()
        return (id(connection), connection.bytes_recv) if connection is not None else (0, 0)

    def _should_hear(self) -> bool:
        connection = self._connection()
        return connection is None or bool(connection.heartbeat)

    def _connection(self) -> Any:
        """The one to RabbitMQ, or None: there is none yet, or none at the moment."""
        consumer = getattr(self._worker, "consumer", None)
        connection = consumer.connection if consumer is not None else None
        # The attribute, not the property: that one would connect, in this thread.
        return connection._connection if connection is not None else None
