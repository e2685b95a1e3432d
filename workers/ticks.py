"""What beat does where the broker is away: it says so, in a line."""

import logging
from typing import Any

from celery.beat import Scheduler, SchedulingError

from atom.outage import Outage

_log = logging.getLogger(__name__)
_outage = Outage(_log, "Recovery cannot be ticked", "Recovery is ticked again")


class Ticks(Scheduler):
    """A schedule of ticks, of which none is missed: the next one does all that there is to do."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one; Celery's own way logs a stack and a traceback for each that cannot be sent."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            _outage.note(error)
        else:
            _outage.end()
