"""The loop of recovery, and the supervision of its ticks."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from traceback import format_stack
from typing import Final

from atom import heartbeat
from atom.durations import duration
from atom.errors import StoreUnavailable
from atom.execution.recovery import Recovery
from atom.outage import Outage

_log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
# A part of a tick may wait for a store, broker or database that hangs, each of which gives up
# within a minute. `atom-health` reports a tick that takes longer, and later the process ends.
STUCK_SECONDS = 120.0
LONGEST_STUCK_SECONDS = 300.0


class RecoveryLoop:
    """Runs ticks in a thread of its own, one a second, until it is stopped."""

    def __init__(self, recovery: Recovery, exit_process: Callable[[int], None] = os._exit) -> None:
        """Make one.

        Args:
            recovery: does the work of a tick.
            exit_process: ends this process with an exit code, whatever hangs in it.
        """
        self._recovery, self._exit_process = recovery, exit_process
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)
        self._outage = Outage(_log, "Recovery waits for the store", "Recovery works again")
        self._seen_progress, self._stuck_beats = 0, 0

    def start(self) -> None:
        """Start the first tick."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the loop runs. Unless it was stopped, it ends only by a bug."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Start no further tick."""
        self._stopped.set()

    def sign(self) -> str:
        """Return what `atom-health` reports of a tick that hangs; called at each heartbeat.

        Beats are counted instead of seconds, so that a machine that stood still for an hour does
        not look like a tick that hangs.
        """
        before, self._seen_progress = self._seen_progress, self._recovery.progress
        is_stuck = before == self._seen_progress
        self._stuck_beats = self._stuck_beats + 1 if is_stuck else 0
        stuck_seconds = self._stuck_beats * heartbeat.BEAT_SECONDS
        if stuck_seconds < STUCK_SECONDS:
            return ""
        if stuck_seconds >= LONGEST_STUCK_SECONDS:
            self._give_up(stuck_seconds)
        return f"its tick has hung for {duration(round(stuck_seconds))}"

    def _run(self) -> None:
        while not self._stopped.is_set():
            begun_at = time.monotonic()
            self._tick()
            self._stopped.wait(begun_at + TICK_SECONDS - time.monotonic())

    def _tick(self) -> None:
        try:
            self._recovery.tick()
        except StoreUnavailable as error:  # the next tick does everything that there is to do
            self._outage.note(error)
        except Exception:
            _log.exception("A tick of recovery failed; the next one follows")
        else:
            self._outage.end()

    def _give_up(self, stuck_seconds: float) -> None:
        """End this process, so that it is started again. A tick may end at any point."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        _log.critical(
            "A tick of recovery has hung for %s: the process ends, to be started again. It hangs "
            "at\n%s",
            duration(round(stuck_seconds)),
            "".join(format_stack(frame)).rstrip() if frame else "an unknown line",
        )
        self._exit_process(1)
