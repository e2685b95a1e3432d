"""The last resort for a worker that no longer hears its broker: it ends."""

import logging
import threading
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from celery import Celery
from celery.platforms import EX_FAILURE
from celery.worker import state

from atom.broker.redis import Channel
from atom.durations import duration
from workers.ending import Ending

_log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
DEAF_LOOKS = 30


class Hearing(ABC):
    """Looks whether the consumer still does what a consumer of its broker does all the time.

    Connections that were lost in silence are mended by kombu and Celery, and that is tested. This
    is for what they do not know of: a worker that lives and takes nothing for ever.

    Silent looks in a row are counted, and only while the broker answers: so neither an outage nor
    a machine that stood still for an hour looks like a deaf worker.
    """

    deaf: ClassVar[str]
    """What a deaf one does, as the end of a sentence."""

    def __init__(self, worker: Any, ending: Ending) -> None:
        self._worker, self._ending = worker, ending
        self._silent_looks = 0
        self._last = self._mark()

    def start(self) -> None:
        """Begin to look, from a thread."""
        name = type(self).__name__.lower()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def wrong(self) -> str:
        """What a health check is to know: half of the time before the worker ends, or nothing."""
        if self._silent_looks < DEAF_LOOKS / 2:
            return ""
        return f"it {self.deaf} for {duration(self._silent_seconds)}, although the broker answers"

    def look(self) -> None:
        """Count silent looks in a row, and end the worker when there are `DEAF_LOOKS`."""
        is_silent = self._is_silent() and _broker_answers(self._worker.app)
        self._silent_looks = self._silent_looks + 1 if is_silent else 0
        if self._silent_looks == DEAF_LOOKS:
            _log.critical(
                "This worker %s for %s, although the broker answers: it ends, so that it is "
                "started again",
                self.deaf,
                duration(self._silent_seconds),
            )
            self._ending.begin(EX_FAILURE)

    @property
    def _silent_seconds(self) -> float:
        return self._silent_looks * LOOK_SECONDS

    def _is_silent(self) -> bool:
        before, self._last = self._last, self._mark()
        return before == self._last and self._should_hear()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_SECONDS) and not self._ending.has_begun:
            try:
                self.look()
            except Exception:
                _log.exception("Whether this worker still hears is not known")
                self._silent_looks = 0

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


def _broker_answers(app: Celery) -> bool:
    """Return whether the broker takes another connection, within seconds."""
    with app.connection_for_read() as connection:
        try:
            connection.connect()
        except connection.connection_errors + connection.channel_errors:
            return False
    return True
