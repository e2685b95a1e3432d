"""Values that the processes of one role share: prometheus-client's files, one set for each slot.

A process takes the first slot that nobody holds, with a lock that the kernel releases when it
dies. So a process that replaces a dead one goes on counting in its files: no count is lost or
falls, and there are never more files than processes at one time.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

from prometheus_client import values

from atom.errors import StartupError

_PREFIX: Final = "atom-metrics-"
_LEFT_SECONDS: Final = 60


class _Slots:
    """Which slot of a directory the current process holds."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pid, self._slot = 0, 0

    def mine(self) -> int:
        """The slot of this process; after a fork it is another one than the parent's."""
        if self._pid != os.getpid():
            self._slot = next(slot for slot in count() if self._take(slot))
            self._pid = os.getpid()
        return self._slot

    def _take(self, slot: int) -> bool:
        # What is taken stays open, and locked, for as long as the process lives.
        return _locked(self._directory / f"{slot}.lock") is not None


class Shared:
    """Where the values of this process live."""

    directory: Path | None = None
    """None where they are in its memory."""


def share() -> None:
    """Let values live in files from now on, for this process and those that it forks.

    To be called once, before anything is measured; the directory goes with this process.

    Raises:
        StartupError: there is no place for temporary files.
    """
    try:
        _remove_left_behind()
        directory = Shared.directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        raise StartupError(
            f"Metrics need a directory for temporary files: {error.strerror or error}. "
            "Set TMPDIR to one that can be written."
        ) from None
    # Where prometheus-client looks for it, at the first use in each process.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    make_class: Any = values.MultiProcessValue  # it has no types
    values.ValueClass = make_class(_Slots(directory).mine)
    main_pid = os.getpid()

    def remove() -> None:
        if os.getpid() == main_pid:  # children run this as well
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(remove)


def _locked(path: Path) -> int | None:
    """The file, open and locked; None where another process has it."""
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        return None
    return opened


def _remove_left_behind() -> None:
    """Directories of roles that were killed: nobody holds a slot, and they are not just made."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or another role is quicker
            if time.time() - directory.stat().st_mtime < _LEFT_SECONDS:
                continue
            locks = [_locked(each) for each in directory.glob("*.lock")]
            for lock in locks:
                if lock is not None:
                    os.close(lock)
            if None not in locks:
                shutil.rmtree(directory)
