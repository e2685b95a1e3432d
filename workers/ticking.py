"""Whether recovery is ticked, which its embedded beat does every second."""

import logging
from typing import Any

from celery import signals
from celery.platforms import EX_FAILURE

from atom.durations import duration
from atom.names import RECOVER_TASK
from workers.ending import Ending
from workers.silence import Silence

_log = logging.getLogger(__name__)

SILENT_LOOKS = 30


class Ticking(Silence):
    """Looks whether ticks come in.

    The beat is a process of its own, and Celery does not notice that it died: the worker ends then,
    so that it is started again. Ticks that stay away for another reason, although the broker
    answers, are only told of.
    """

    def __init__(self, worker: Any, ending: Ending) -> None:
        super().__init__(worker, ending)
        self._noted, self._known = 0, 0
        self._is_under_way = False

    @property
    def wrong(self) -> str:
        """What a health check is to know, or nothing."""
        if self._silent_looks < SILENT_LOOKS:
            return ""
        return f"nothing has ticked it for {duration(self._silent_seconds)}"

    def start(self) -> None:
        """Begin to hear ticks, and to look."""
        signals.task_prerun.connect(self._begin, weak=False, dispatch_uid="atom.tick.begin")
        signals.task_postrun.connect(self._end, weak=False, dispatch_uid="atom.tick.end")
        super().start()

    def look(self) -> None:
        """Count a silent look; end the worker whose beat is dead."""
        # None both while it runs and before it is started, which is after us.
        if self._worker.beat.exitcode is not None:
            _log.critical("The process that ticks recovery is dead: it ends, to be started again")
            self._ending.begin(EX_FAILURE)
        super().look()

    def _is_silent(self) -> bool:
        before, self._known = self._known, self._noted
        return before == self._known and not self._is_under_way

    def _begin(self, sender: Any = None, **_: Any) -> None:
        self._is_under_way = sender.name == RECOVER_TASK

    def _end(self, **_: Any) -> None:
        self._noted += 1
        self._is_under_way = False
