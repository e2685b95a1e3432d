"""The last resort for a worker that no longer asks its broker for messages: it ends."""

import logging
import threading
from typing import Any

from celery import Celery
from celery.platforms import EX_FAILURE
from celery.worker import state

from atom.broker import Channel
from workers.ending import Ending

_log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
DEAF_LOOKS = 30


class Hearing:
    """Looks, from a thread of its own, whether the consumer still asks for messages.

    kombu mends connections that were lost in silence, and that is tested. This is for what it does
    not know of: a worker that lives and has room, and takes nothing for ever. Only looks in a row
    count, at each of which nothing had been asked since the one before although the worker had
    room and the broker answered another connection. So neither an outage nor a machine that stood
    still for an hour looks like deafness.
    """

    def __init__(self, worker: Any, ending: Ending) -> None:
        self._worker, self._ending = worker, ending
        self._asked_at = Channel.asked_at
        self._silent_looks = 0

    @property
    def wrong(self) -> str:
        """What a health check is to know: half of the time before the worker ends, or nothing."""
        if self._silent_looks < DEAF_LOOKS / 2:
            return ""
        return (
            "it has room but has not asked for messages for "
            f"{self._silent_looks * LOOK_SECONDS:g} s, although the broker answers"
        )

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="hearing", daemon=True).start()

    def look(self) -> None:
        """Count a silent look, and end the worker at the last of so many."""
        before, self._asked_at = self._asked_at, Channel.asked_at
        is_silent = (
            before == self._asked_at and self._should_ask() and broker_answers(self._worker.app)
        )
        self._silent_looks = self._silent_looks + 1 if is_silent else 0
        if self._silent_looks == DEAF_LOOKS:
            _log.critical(
                "This worker has room but has not asked for messages for %g s, although the broker "
                "answers: it ends, so that it is started again",
                DEAF_LOOKS * LOOK_SECONDS,
            )
            self._ending.begin(EX_FAILURE)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_SECONDS) and not self._ending.has_begun:
            try:
                self.look()
            except Exception:
                _log.exception("Whether this worker still hears is not known")
                self._silent_looks = 0

    def _should_ask(self) -> bool:
        """It has begun to, has room, and nobody told it (from Flower, say) to consume nothing."""
        consumer = self._worker.consumer.task_consumer
        if not Channel.asked_at or (consumer is not None and not consumer.queues):
            return False
        return bool(len(state.reserved_requests) < self._worker.pool.num_processes)


def broker_answers(app: Celery) -> bool:
    """Whether the broker takes another connection, within seconds."""
    with app.connection_for_read() as connection:
        try:
            connection.connect()
        except connection.connection_errors + connection.channel_errors:
            return False
    return True
