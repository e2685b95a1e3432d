"""Who is there: what a role says of itself in the store, for as long as it lives."""

import logging
import os
import socket
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final, Protocol

from atom.errors import StoreUnavailable
from atom.service import FlowService

_log = logging.getLogger(__name__)

LISTENER: Final = "listener"
CONSOLE: Final = "console"
FLOWER: Final = "flower"
SANDBOX: Final = "sandbox"

# A few of them may be missed before the store forgets who announced itself.
ANNOUNCE_SECONDS: Final = 5.0


class Board(Protocol):
    """The part of a store on which roles announce themselves."""

    def announce(self, role: str, instance: str, details: Mapping[str, str]) -> None:
        """See ExecutionStore."""

    def withdraw(self, role: str, instance: str) -> None:
        """See ExecutionStore."""


def process_details(services: Mapping[str, FlowService]) -> dict[str, str]:
    """What every role tells of its process: to be asked once, at its start."""
    return {
        "pid": str(os.getpid()),
        "host": socket.gethostname(),
        "version": version("flow-atom"),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "services": ", ".join(
            f"{name} {service.version}" for name, service in sorted(services.items())
        ),
    }


class Announcer:
    """Announces one role from a thread of its own; a store that is away does it no harm.

    Made before a fork and started after it, each process announces the same instance, which is
    there for as long as one of them lives.
    """

    def __init__(self, board: Board, role: str, details: Mapping[str, str]) -> None:
        self._board, self._role, self._details = board, role, details
        self._instance = f"{role}-{details['pid']}@{details['host']}"
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin at once."""
        threading.Thread(target=self._run, name="presence", daemon=True).start()

    def end(self) -> None:
        """Take the announcement back, at a clean end, in the last process that announces it."""
        self._ended.set()
        try:
            self._board.withdraw(self._role, self._instance)
        except StoreUnavailable as error:
            _log.warning("The %s could not take its announcement back: %s", self._role, error)

    def _run(self) -> None:
        has_complained = False
        while True:
            try:
                self._board.announce(self._role, self._instance, self._details)
                has_complained = False
            except StoreUnavailable as error:
                if not has_complained:
                    _log.warning("The %s could not announce itself: %s", self._role, error)
                has_complained = True
            if self._ended.wait(ANNOUNCE_SECONDS):
                return
