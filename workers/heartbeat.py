"""The heartbeat of a worker, and the signs by which it knows that it is unwell."""

from typing import Any, Final

from celery import Celery, bootsteps

from atom.durations import duration
from atom.execution.keeper import LeaseKeeper
from atom.heartbeat import Heartbeat
from workers.ending import Ending
from workers.hearing import Hearing
from workers.slots import Slots

# The keeper waits for a store that hangs: three retries of 10 s each, and then some.
_KEEPER_SECONDS: Final = 90.0


def keep_heart_beating(
    app: Celery, keeper: LeaseKeeper, slots: Slots, ending: Ending, hearing: type[Hearing]
) -> None:
    """Start the heartbeat of every worker of the app, and end a worker that no longer hears.

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
            ear = hearing(worker, ending)
            ear.start()
            signs = (keeper_is_silent, lambda: slots.wrong, lambda: ear.wrong)
            Heartbeat("worker", signs).start()

    app.steps["worker"].add(BeatHeart)
