"""The heartbeat of a role without an HTTP port: a note for `atom-health`, written every 2 s.

The note holds the sentence that `atom-health` prints, so a check costs no more than a read. An
outage of Redis or of the broker never makes a role unwell: starting it again would help nobody.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from atom.health import Note, forget_the_dead
from atom.outage import ongoing

_log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
# A role that writes nothing for so long is stopped, or starved by a process that keeps the GIL.
SILENT_SECONDS = 30.0

Sign = Callable[[], str]
"""Returns what is wrong with the role, as a sentence, or an empty string. It may not wait."""


class Heartbeat:
    """Writes the health note of this process from a thread of its own."""

    def __init__(self, role: str, signs: Sequence[Sign]) -> None:
        """Make one.

        Args:
            role: the name that `atom-health` prints.
            signs: asked at each beat; the first problem is written.
        """
        self._role, self._signs = role, signs
        self._note = Note(role, within_seconds=SILENT_SECONDS)
        self._has_complained = False

    def start(self) -> None:
        """Start to write, at once."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def beat(self) -> None:
        """Write the note once."""
        try:
            wrong = next(filter(None, (sign() for sign in self._signs)), "")
            self._note.write(wrong, ongoing())
        except OSError as error:
            if not self._has_complained:
                _log.warning("The %s works, but atom-health cannot find it: %s", self._role, error)
            self._has_complained = True

    def _run(self) -> None:
        forget_the_dead()
        pause = threading.Event()
        while True:
            try:
                self.beat()
            except Exception:
                _log.exception("The health of the %s could not be checked", self._role)
            pause.wait(BEAT_SECONDS)
