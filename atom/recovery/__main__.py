"""`python -m atom.recovery`, the process that `atom recovery` becomes."""

import logging
import os
import signal
import socket
import sys
import time
from typing import Final

from atom.catalog import load_catalog
from atom.errors import AtomError
from atom.execution.recovery import Recovery
from atom.execution.wakeup import Waker
from atom.garbage import settle
from atom.heartbeat import Heartbeat
from atom.logs import configure_logging
from atom.metrics import Scrape, Standing, serve
from atom.names import RECOVERY
from atom.presence import Announcer
from atom.publisher import Publisher
from atom.recovery.loop import RecoveryLoop
from atom.settings import Settings
from atom.store import RedisStore, open_store
from atom.store.files import file_store

_log = logging.getLogger(__package__)

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_LOOK_SECONDS: Final = 0.5
_ENDING_LOOK_SECONDS: Final = 0.05


class _EndSignals:
    """The signals that ask for the end, as bytes in a socket: nothing runs in a signal handler."""

    def __init__(self) -> None:
        """Take them from now on. A process that is asked while it starts ends once it has."""
        self._received, self._sent = socket.socketpair()
        self._sent.setblocking(False)
        signal.set_wakeup_fd(self._sent.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)

    def wait(self, seconds: float) -> bool:
        """Return whether one has come, within that time."""
        self._received.settimeout(seconds)
        try:
            return self._received.recv(1)[0] in _SIGNALS
        except TimeoutError:
            return False


def main() -> int:
    """Run recovery until a signal; return the exit code."""
    signals = _EndSignals()
    try:
        return _run(Settings.from_env(), signals)
    except AtomError as error:
        print(f"atom: {error}", file=sys.stderr)  # noqa: T201 (as each command does)
        return 1


def _run(settings: Settings, signals: _EndSignals) -> int:
    configure_logging(settings.log_level, settings.log_format, RECOVERY)
    catalog, publisher = load_catalog(settings.services), Publisher(settings.broker)
    store = open_store(settings, on_released=Waker(catalog, publisher))
    loop = RecoveryLoop(Recovery(catalog, store, publisher, file_store(settings)))
    settle()
    if settings.metrics_bind:
        serve(settings.metrics_bind, Scrape(Standing(RedisStore(settings), publisher, catalog)))
    announcer = Announcer(settings, RECOVERY, catalog.services)
    Heartbeat(RECOVERY, [loop.sign]).start()
    announcer.start()
    loop.start()
    exit_code = _wait_for_end(loop, signals, settings.shutdown_seconds)
    announcer.end()
    if loop.is_running:
        _log.warning("Recovery ends within a tick; the next tick does what is left")
        os._exit(exit_code)  # an ordinary exit could wait for what hangs
    _log.info("Recovery has ended")
    return exit_code


def _wait_for_end(loop: RecoveryLoop, signals: _EndSignals, shutdown_seconds: float) -> int:
    """Return once the loop has ended: after a signal, or with an exit code of 1 by a bug.

    After a signal the tick under way may finish. A second signal ends the wait.
    """
    while not signals.wait(_LOOK_SECONDS):
        if not loop.is_running:
            _log.critical("The loop of recovery has ended: the process ends, to be started again")
            return 1
    loop.stop()
    end = time.monotonic() + shutdown_seconds
    while loop.is_running and time.monotonic() < end and not signals.wait(_ENDING_LOOK_SECONDS):
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
