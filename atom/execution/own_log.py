"""What a process says while it runs, kept with its execution."""

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from atom.errors import StoreRefused, StoreUnavailable
from atom.logs import collecting, printable
from atom.records import Claim, LogLine
from atom.redaction import redacted
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)

# The message of the line that has the traceback of a failed process.
FAILURE: Final = "The process failed"

_LONGEST_MESSAGE: Final = 2_000
_LONGEST_TRACEBACK: Final = 6_000
_AT_ONCE: Final = 500
_SECONDS: Final = 1.0
# How long a store that did not take the lines is left alone.
_AWAY_SECONDS: Final = 5.0


class OwnLog:
    """Collects the lines of one attempt and writes them to the store, several at a time.

    Lines go there at once where none went in the last second, else with the next line after that
    second, and whenever the attempt writes something anyway. An attempt that is killed loses those
    that did not; one that says nothing costs nothing. The store's absence is no reason to fail, or
    to wait for long: what comes meanwhile is kept, as much as the store would keep.
    """

    def __init__(
        self, claim: Claim, now: Callable[[], datetime], store: ExecutionStore, max_lines: int
    ) -> None:
        """Make one; `now` gives the time by the store's clock, like all times of an execution."""
        self._claim, self._now, self._store = claim, now, store
        self._lines: deque[LogLine] = deque(maxlen=max_lines)
        self._due_at = 0.0
        # Not waited for: while lines are written, what is logged about that joins the next ones.
        self._writing = threading.Lock()

    def take(self, record: logging.LogRecord) -> None:
        """Add a line; see `atom.logs.collecting`."""
        line = LogLine(self._now(), record.levelname, _text(record), self._claim.attempt)
        self._lines.append(line)
        if time.monotonic() >= self._due_at:
            self.flush()

    def note(self, level: str, message: str) -> None:
        """Add a line that was not logged; it is written with the next ones."""
        text = _cut(_shown(message))
        self._lines.append(LogLine(self._now(), level, text, self._claim.attempt))

    def flush(self) -> None:
        """Write what was collected, if anything was."""
        if not self._lines or not self._writing.acquire(blocking=False):
            return
        # One by one: a thread that logs in this context may add a line meanwhile.
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        try:
            while lines:
                self._store.add_log(self._claim.id, lines[:_AT_ONCE])
                del lines[:_AT_ONCE]
            self._due_at = time.monotonic() + _SECONDS
        except StoreUnavailable as error:
            self._due_at = time.monotonic() + _AWAY_SECONDS
            self._lines = deque([*lines, *self._lines], self._lines.maxlen)
            _log.warning("The log of the execution waits for the store: %s", error)
        except StoreRefused as error:
            _log.warning("Lines are missing in the log of the execution: %s", error)
        finally:
            self._writing.release()

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Take what is logged in the block about the execution; write the last of it at its end."""
        with collecting(self.take):
            try:
                yield
            finally:
                self.flush()


def failure_traceback(lines: Sequence[LogLine]) -> str:
    """Return the traceback of the latest failure of a process; empty if the log has none."""
    head = f"{FAILURE}\n"
    tracebacks = [line.message for line in lines if line.message.startswith(head)]
    return tracebacks[-1].removeprefix(head) if tracebacks else ""


def _text(record: logging.LogRecord) -> str:
    """Message and traceback, both of a bearable length, without secrets."""
    try:
        message = record.getMessage()
    except Exception:  # its arguments do not fit: the role's log says where
        message = str(record.msg)
    text = _cut(_shown(message))
    if record.exc_info:
        raised = _shown("".join(traceback.format_exception(*record.exc_info)).rstrip())
        # Its end says what happened.
        cut = f"…{raised[-_LONGEST_TRACEBACK:]}" if len(raised) > _LONGEST_TRACEBACK else raised
        text = f"{text}\n{cut}"
    return text


def _cut(text: str) -> str:
    return f"{text[:_LONGEST_MESSAGE]}…" if len(text) > _LONGEST_MESSAGE else text


def _shown(text: str) -> str:
    return printable(redacted(text))
