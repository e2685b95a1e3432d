"""What a worker says of itself to the health check of its container: every 2 s, or it is unwell.

The sentence goes into the note that `atom-health` reads, so the check costs no more than a look.
An outage of Redis or of the broker makes no worker unwell: to start it again would help nobody.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from celery import Celery, bootsteps

from atom.durations import duration
from atom.execution.keeper import LeaseKeeper
from atom.health import Note, forget_the_dead
from atom.names import RECOVERY
from atom.outage import ongoing
from workers.ending import Ending
from workers.hearing import Hearing
from workers.slots import Slots
from workers.ticking import Ticking

_log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
# Who says nothing for so long is stopped, or starved by a process that keeps the GIL.
SILENT_SECONDS = 30.0
# The keeper waits for a store that hangs: three retries of 10 s each, and then some.
_KEEPER_SECONDS: Final = 90.0

_Sign = Callable[[], str]


class Heartbeat:
    """Writes the note of this worker from a thread of its own.

    Each sign says what is wrong, at once: it asks nobody, for who is asked may hang.
    """

    def __init__(self, role: str, signs: Sequence[_Sign]) -> None:
        self._note, self._signs = Note(role, within_seconds=SILENT_SECONDS), signs
        self._has_complained = False

    def start(self) -> None:
        """Begin at once."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def beat(self) -> None:
        """Once."""
        try:
            wrong = next(filter(None, (sign() for sign in self._signs)), "")
            self._note.write(wrong, ongoing())
        except OSError as error:
            if not self._has_complained:
                _log.warning("The worker works, but atom-health cannot find it: %s", error)
            self._has_complained = True

    def _run(self) -> None:
        forget_the_dead()
        pause = threading.Event()
        while True:
            try:
                self.beat()
            except Exception:
                _log.exception("How this worker is is not known")
            pause.wait(BEAT_SECONDS)


def keep_heart_beating(
    app: Celery, keeper: LeaseKeeper, slots: Slots, ending: Ending, hearing: type[Hearing]
) -> None:
    """Have every worker of the app say how it is, and end where nothing else helps.

    Args:
        app: its Celery app.
        keeper: looks after the leases.
        slots: knows which slots stay taken.
        ending: ends the worker.
        hearing: how one is known that no longer hears its broker.
    """

    def keeper_is_silent() -> str:
        silent = keeper.silent_seconds
        if silent <= _KEEPER_SECONDS:
            return ""
        return f"nobody looked after its leases for {duration(round(silent))}"

    class BeatHeart(bootsteps.StartStopStep):
        """Beats from the start on."""

        def start(self, worker: Any) -> None:
            is_recovery = RECOVERY in worker.app.amqp.queues.consume_from
            is_ticked = worker.beat is not None
            ear = hearing(worker, ending)
            ear.start()
            signs: list[_Sign] = [keeper_is_silent, lambda: slots.wrong, lambda: ear.wrong]
            if is_ticked:
                ticking = Ticking(worker, ending)
                ticking.start()
                signs.append(lambda: ticking.wrong)
            Heartbeat("recovery" if is_recovery else "worker", signs).start()

    app.steps["worker"].add(BeatHeart)
