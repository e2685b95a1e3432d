"""Who is there: what a role says of itself in the store, for as long as it lives."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from types import MappingProxyType
from typing import Final

from atom.errors import StoreError
from atom.outage import Outage
from atom.service import FlowService
from atom.settings import Settings
from atom.store import RedisStore

_log = logging.getLogger(__name__)

# A few of them may be missed before the store forgets who announced itself.
_ANNOUNCE_SECONDS: Final = 5.0
# A role that ends does not wait for a store that hangs.
_STORE_SECONDS: Final = 2.0


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


def presence_outage(logger: logging.Logger, role: str) -> Outage:
    """Return the log of an outage of the store, as a role sees it that announces itself there."""
    return Outage(
        logger, f"The {role} could not announce itself", f"The {role} announces itself again"
    )


class Announcer:
    """Announces one role from a thread of its own; a store that is away does it no harm.

    Made before a fork and started after it, each process announces the same instance, which is
    there for as long as one of them lives.
    """

    def __init__(
        self,
        settings: Settings,
        role: str,
        services: Mapping[str, FlowService] = MappingProxyType({}),
        changing: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Make one.

        Args:
            settings: where the store is.
            role: which.
            services: those that it has loaded, with their versions.
            changing: what else is to be told of the process, asked for at each announcement.
        """
        self._changing = changing
        self.role: Final = role
        self._store = RedisStore(settings, within_seconds=_STORE_SECONDS)
        self._details = process_details(services)
        self._instance = f"{role}-{self._details['pid']}@{self._details['host']}"
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin at once."""
        threading.Thread(target=self._run, name="presence", daemon=True).start()

    def end(self) -> None:
        """Take the announcement back, at a clean end, in the last process that announces it."""
        self._ended.set()
        try:
            self._store.withdraw(self.role, self._instance)
        except StoreError as error:
            _log.warning("The %s could not take its announcement back: %s", self.role, error)

    def _run(self) -> None:
        with presence_outage(_log, self.role) as outage:
            while True:
                try:
                    details = {**self._details, **self._changing()}
                    self._store.announce(self.role, self._instance, details)
                    outage.end()
                except StoreError as error:
                    outage.note(error)
                if self._ended.wait(_ANNOUNCE_SECONDS):
                    return
