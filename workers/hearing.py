"""The last resort for a worker that no longer asks its broker for messages: it ends."""

import logging
from typing import Any

from celery.platforms import EX_FAILURE
from celery.worker import state

from atom.broker import Channel
from workers.ending import Ending
from workers.silence import Silence

_log = logging.getLogger(__name__)

DEAF_LOOKS = 30


class Hearing(Silence):
    """Looks whether the consumer still asks for messages.

    kombu mends connections that were lost in silence, and that is tested. This is for what it does
    not know of: a worker that lives and has room, and takes nothing for ever.
    """

    def __init__(self, worker: Any, ending: Ending) -> None:
        super().__init__(worker, ending)
        self._asked_at = Channel.asked_at

    @property
    def wrong(self) -> str:
        """What a health check is to know: half of the time before the worker ends, or nothing."""
        if self._silent_looks < DEAF_LOOKS / 2:
            return ""
        return (
            f"it has room but has not asked for messages for {self._silent_seconds:g} s, although "
            "the broker answers"
        )

    def look(self) -> None:
        """Count a silent look, and end the worker at the last of so many."""
        super().look()
        if self._silent_looks == DEAF_LOOKS:
            _log.critical(
                "This worker has room but has not asked for messages for %g s, although the broker "
                "answers: it ends, so that it is started again",
                self._silent_seconds,
            )
            self._ending.begin(EX_FAILURE)

    def _is_silent(self) -> bool:
        before, self._asked_at = self._asked_at, Channel.asked_at
        return before == self._asked_at and self._should_ask()

    def _should_ask(self) -> bool:
        """It has begun to, has room, and nobody told it (from Flower, say) to consume nothing."""
        consumer = self._worker.consumer.task_consumer
        if not Channel.asked_at or (consumer is not None and not consumer.queues):
            return False
        return bool(len(state.reserved_requests) < self._worker.pool.num_processes)
