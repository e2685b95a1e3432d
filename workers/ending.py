"""The end of a worker: what it runs is finished or handed back within a bound, whatever hangs."""

import logging
import os
import queue
import signal
import threading
import time
from contextlib import suppress
from typing import Any, Final

from celery import Celery, bootsteps, signals
from celery.platforms import EX_OK
from celery.worker import state

from atom.durations import duration
from atom.execution.keeper import LeaseKeeper

_log = logging.getLogger(__name__)

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_LOOK_SECONDS: Final = 0.1
# For handing back, and again for acknowledging and closing: a broker that is away answers neither.
_HAND_BACK_SECONDS: Final = 5.0
_CLOSING_SECONDS: Final = 5.0


class Ending:
    """Ends the worker of this process when it is asked to, within a time.

    Celery's warm shutdown may take for ever. Its cold one sleeps through its whole time although
    everything is done, and reads no result meanwhile. So the warm one is begun, and a thread that
    nothing else can block sees to its bound.
    """

    def __init__(self, seconds: float, keeper: LeaseKeeper) -> None:
        self._seconds, self._keeper = seconds, keeper
        self._worker: Any = None
        # Its put may interrupt another one, as a signal handler does.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.has_begun = False
        """Whether the end has been asked for."""
        self._exit_code = EX_OK
        self._under_way = 0
        self._conclusion = threading.Lock()
        self._has_concluded = False

    def watch(self, worker: Any) -> None:
        """Answer signals from now on; called in the main thread, after Celery set its handlers."""
        self._worker = worker
        for each in _SIGNALS:
            signal.signal(each, lambda *_: self.begin())
        threading.Thread(target=self._run, name="ending", daemon=True).start()

    def begin(self, exit_code: int = EX_OK) -> None:
        """Take nothing new and end; at a second call, what still runs is not waited for."""
        self.has_begun = True
        self._exit_code = exit_code
        # The consumer sees it at the next turn of its loop.
        state.should_stop = exit_code  # type: ignore[assignment]
        self._asked.put(None)

    def see_to_it(self) -> None:
        """The worker is stopping: bound it, if nobody asked for it but an error did."""
        if not self.has_begun:
            self.has_begun = True
            self._asked.put(None)

    def conclude(self, **_: Any) -> None:
        """Hand back what is left, and say how it went; once."""
        with self._conclusion:
            if self._has_concluded:
                return
            self._has_concluded = True
            # A delivery is not handed back: its hold runs out, and it is sent again.
            cut = max(0, len(state.reserved_requests) - len(self._keeper.held))
            handed = self._keeper.hand_back()
            _log.info(
                "The worker ends: %d of %d under way finished, %d executions handed back",
                max(0, self._under_way - cut - handed),
                self._under_way,
                handed,
            )

    def _run(self) -> None:
        self._asked.get()
        try:
            self._finish_or_hand_back()
            time.sleep(_CLOSING_SECONDS)  # the process ends within it, and this thread with it
            _log.warning("The worker ends although something does not answer when it is closed")
        except Exception:
            _log.exception("The worker could not be ended as it should be")
        finally:
            os._exit(self._worker.exitcode or self._exit_code)

    def _finish_or_hand_back(self) -> None:
        self._under_way = self._count_under_way()
        if self._under_way:
            _log.info(
                "The worker was asked to end: %d under way may take %s (ATOM_SHUTDOWN_SECONDS)",
                self._under_way,
                duration(self._seconds),
            )
        self._wait_for_what_runs()
        conclusion = threading.Thread(target=self.conclude, name="conclusion", daemon=True)
        conclusion.start()
        conclusion.join(_HAND_BACK_SECONDS)
        self._kill_what_runs()

    def _wait_for_what_runs(self) -> None:
        end = time.monotonic() + self._seconds
        while self._count_under_way() and time.monotonic() < end:
            with suppress(queue.Empty):
                self._asked.get(timeout=_LOOK_SECONDS)
                return  # asked again

    def _count_under_way(self) -> int:
        """Deliveries are Celery's to know, executions the keeper's as well."""
        return max(len(state.reserved_requests), len(self._keeper.held))

    def _kill_what_runs(self) -> None:
        """What was handed back: nothing that its process still does is recorded."""
        for request in tuple(state.active_requests):
            with suppress(NotImplementedError):  # threads cannot be killed
                request.cancel(self._worker.pool, signal="SIGKILL", emit_retry=False)


def end_in_time(app: Celery, seconds: float, keeper: LeaseKeeper) -> Ending:
    """Have every worker of the app end within that time once it is asked to."""
    ending = Ending(seconds, keeper)

    class EndInTime(bootsteps.StartStopStep):
        """Puts the ending between Celery's signal handlers and its shutdown."""

        def start(self, worker: Any) -> None:
            ending.watch(worker)

        def close(self, worker: Any) -> None:
            ending.see_to_it()

    app.steps["worker"].add(EndInTime)
    signals.worker_shutdown.connect(ending.conclude, weak=False, dispatch_uid="atom.ending")
    return ending
