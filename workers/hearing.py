"""The last resort for a worker that no longer asks its broker for messages: it ends."""

import logging
import threading
from typing import Any

from celery import Celery, bootsteps
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

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="hearing", daemon=True).start()

    def look(self) -> None:
        """Count a silent look, and end the worker at the last of so many."""
        before, self._asked_at = self._asked_at, Channel.asked_at
        is_silent = before == self._asked_at and self._should_ask() and self._broker_answers()
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

    def _broker_answers(self) -> bool:
        with self._worker.app.connection_for_read() as connection:
            try:
                connection.connect()
            except connection.connection_errors + connection.channel_errors:
                return False
        return True


def end_when_deaf(app: Celery, ending: Ending) -> None:
    """Have every worker of the app end when it hears nothing any more; it consumes from Redis."""

    class EndWhenDeaf(bootsteps.StartStopStep):
        """Looks from the start on."""

        def start(self, worker: Any) -> None:
            Hearing(worker, ending).start()

    app.steps["worker"].add(EndWhenDeaf)
