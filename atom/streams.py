"""Standard output and error of a worker: complete text streams whose lines become log records.

Code that a process calls expects of `sys.stdout` what Python gives: an encoding, a binary buffer, a
file descriptor. A printed line may hold a secret as a logged one may, so it goes the same way.
"""

import io
import logging
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from typing import Any, Final, TextIO

from atom.redaction import redacted

_log = logging.getLogger("atom.printed")

# A progress bar may never end its line.
_LONGEST_LINE: Final = 64 * 1024


class _Thread(threading.local):
    """The state of one thread."""

    is_logging = False  # a handler that fails prints to standard error itself


_thread = _Thread()


class _Line:
    """The unfinished line of one thread."""

    def __init__(self) -> None:
        self.content = bytearray()

    def end(self) -> None:
        """Log the line as it is."""
        content = bytes(self.content)
        self.content.clear()
        _log_content(content)

    def __del__(self) -> None:
        if self.content:  # the thread has ended, too late to log in it
            _left.append(bytes(self.content))


# Unfinished lines of threads that have ended.
_left: Final[deque[bytes]] = deque()


def _log_left() -> None:
    """Log what ended threads left, without the context of this one."""
    while _left:
        with suppress(IndexError):  # another thread was faster
            Context().run(_log_content, _left.popleft())


def _log_content(content: bytes) -> None:
    """Log whole lines; what logging prints meanwhile goes to the role's own standard error."""
    text = content.decode(errors="backslashreplace")
    if not text.strip():
        return
    if _thread.is_logging:
        if sys.__stderr__ is not None:
            with suppress(OSError, ValueError):
                sys.__stderr__.write(f"{redacted(text)}\n")
        return
    _thread.is_logging = True
    try:
        _log.info("%s", text.rstrip())
    finally:
        _thread.is_logging = False


class _LogBuffer(io.BufferedIOBase):
    """The binary side of a stream. Each thread has a line of its own, and so its own context."""

    def __init__(self, original: TextIO | None, name: str) -> None:
        super().__init__()
        self._original = original
        self.name = name
        self.mode = "wb"
        self._lines = threading.local()

    @property
    def line(self) -> _Line:
        """The unfinished line of the calling thread."""
        if not hasattr(self._lines, "line"):
            self._lines.line = _Line()
        line: _Line = self._lines.line
        return line

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        data, line = bytes(memoryview(content)), self.line
        _log_left()
        line.content += data
        # A text of several lines stays together, as it does where it is logged.
        if data.endswith(b"\n") or len(line.content) > _LONGEST_LINE:
            line.end()
        return len(data)

    def flush(self) -> None:
        _log_left()
        self.line.end()

    def fileno(self) -> int:
        if self._original is None:
            raise io.UnsupportedOperation("fileno")
        return self._original.fileno()

    def close(self) -> None:
        """Stay open: the stream belongs to the worker, not to one execution."""
        self.flush()

    def __del__(self) -> None:
        """Do nothing at the end of the interpreter, when nothing can be logged any more."""


class _LogStream(io.TextIOWrapper):
    """The text side of a stream. It stays as it is: all executions of a worker share it."""

    mode: Any = "w"  # as Python's own standard streams have it

    def __init__(self, original: TextIO | None, name: str) -> None:
        # Whatever is printed can be logged: an odd file name is no reason to fail.
        buffer = _LogBuffer(original, name)
        super().__init__(buffer, "utf-8", "backslashreplace", write_through=True)

    def reconfigure(self, **options: Any) -> None:
        """Accept the options of `io.TextIOWrapper.reconfigure` and change nothing."""
        unknown = options.keys() - _OPTIONS
        if unknown:
            raise TypeError(f"reconfigure() got an unexpected keyword argument {min(unknown)!r}")
        self.flush()

    def detach(self) -> Any:
        """Return the buffer, and stay usable."""
        self.flush()
        return self.buffer

    def close(self) -> None:
        """Stay open, as the buffer does."""
        self.flush()

    def __del__(self) -> None:
        """Do nothing, as the buffer does."""


_OPTIONS: Final = {"encoding", "errors", "newline", "line_buffering", "write_through"}
_captured: Final[list[_LogStream]] = []


def capture_streams() -> None:
    """Make `sys.stdout` and `sys.stderr` of this process streams that log."""
    if _captured:
        return
    _captured.append(_LogStream(sys.stdout, "<stdout>"))
    _captured.append(_LogStream(sys.stderr, "<stderr>"))
    sys.stdout, sys.stderr = _captured


@contextmanager
def ending_lines() -> Iterator[None]:
    """Log the last line that the block prints before the block ends, even if it is unfinished.

    Later it would be logged without the context of its execution, and with its secrets.
    """
    try:
        yield
    finally:
        for stream in _captured:
            stream.flush()
