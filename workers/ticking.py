"""Whether recovery is ticked, which its embedded beat does every second."""

import logging
import threading
from typing import Any

from celery import signals
from celery.platforms import EX_FAILURE

from atom.names import RECOVER_TASK
from workers.ending import Ending
from workers.hearing import broker_answers

_log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
SILENT_LOOKS = 30


class Ticking:
    """Looks, from a thread of its own, whether ticks come in.

    The beat is a process of its own, and Celery does not notice that it died: the worker ends then,
    so that it is started again. Ticks that stay away for another reason, although the broker
    answers, are only told of.
    """

    def __init__(self, worker: Any, ending: Ending) -> None:
        self._worker, self._ending = worker, ending
        self._noted, self._known = 0, 0
        self._is_under_way = False
        self._silent_looks = 0

    @property
    def wrong(self) -> str:
        """What a health check is to know, or nothing."""
        if self._silent_looks < SILENT_LOOKS:
            return ""
        return f"nothing has ticked it for {self._silent_looks * LOOK_SECONDS:g} s"

    def start(self) -> None:
        """Begin to look."""
        signals.task_prerun.connect(self._begin, weak=False, dispatch_uid="atom.tick.begin")
        signals.task_postrun.connect(self._end, weak=False, dispatch_uid="atom.tick.end")
        threading.Thread(target=self._run, name="ticking", daemon=True).start()

    def look(self) -> None:
        """Count a look since which nothing was heard; end the worker whose beat is dead."""
        # None both while it runs and before it is started, which is after us.
        if self._worker.beat.exitcode is not None:
            _log.critical("The process that ticks recovery is dead: it ends, to be started again")
            self._ending.begin(EX_FAILURE)
        before, self._known = self._known, self._noted
        is_silent = (
            before == self._known and not self._is_under_way and broker_answers(self._worker.app)
        )
        self._silent_looks = self._silent_looks + 1 if is_silent else 0

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_SECONDS) and not self._ending.has_begun:
            try:
                self.look()
            except Exception:
                _log.exception("Whether recovery is ticked is not known")
                self._silent_looks = 0

    def _begin(self, sender: Any = None, **_: Any) -> None:
        self._is_under_way = sender.name == RECOVER_TASK

    def _end(self, **_: Any) -> None:
        self._noted += 1
        self._is_under_way = False
