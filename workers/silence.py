"""Something that a worker should hear all the time: whether it does, looked at from a thread."""

import logging
import threading
from abc import ABC, abstractmethod
from typing import Any

from celery import Celery

from workers.ending import Ending

_log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class Silence(ABC):
    """Counts the looks in a row since which nothing was heard although the broker answers.

    So neither an outage nor a machine that stood still for an hour looks like silence.
    """

    def __init__(self, worker: Any, ending: Ending) -> None:
        self._worker, self._ending = worker, ending
        self._silent_looks = 0

    def start(self) -> None:
        """Begin to look."""
        name = type(self).__name__.lower()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def look(self) -> None:
        """Count a silent look, or begin anew."""
        is_silent = self._is_silent() and _broker_answers(self._worker.app)
        self._silent_looks = self._silent_looks + 1 if is_silent else 0

    @property
    def _silent_seconds(self) -> float:
        return self._silent_looks * LOOK_SECONDS

    @abstractmethod
    def _is_silent(self) -> bool:
        """Whether nothing was heard since the last look that should have been."""

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_SECONDS) and not self._ending.has_begun:
            try:
                self.look()
            except Exception:
                _log.exception("Whether this worker still hears is not known")
                self._silent_looks = 0


def _broker_answers(app: Celery) -> bool:
    """Whether the broker takes another connection, within seconds."""
    with app.connection_for_read() as connection:
        try:
            connection.connect()
        except connection.connection_errors + connection.channel_errors:
            return False
    return True
