"""The sandbox as a server: in a thread for tests, in the foreground for `atom sandbox`."""

import errno
import signal
import socket
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from atom.errors import StartupError
from atom.sandbox.app import create_app
from atom.sandbox.database import SandboxDatabase
from atom.sandbox.platform import Platform
from atom.sandbox.run_api import RunApi
from atom.server import Limits, ThreadServer
from atom.settings import Settings

# Clients wait for the end of flows in requests, and a flow may be told to hang.
_THREADS: Final = 64


class SandboxServer:
    """A sandbox on a loopback port (0: a free one). As a context manager it ends with the block."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        platform: Platform | None = None,
        database: Path | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Listen; flows and services are kept in the database, a file, or else in memory alone.

        The settings limit the time of clients, and have the key that encrypts the secrets in the
        database; without them the defaults apply.

        Raises:
            StartupError: the address is taken, or the database cannot be opened.
        """
        settings = settings or Settings()
        limits = Limits.from_settings(settings, _THREADS)
        with ExitStack() as stack:  # closes what is open, should a later part fail
            flow_database = None
            if database is not None:
                kept = SandboxDatabase(database, settings.secret_key)
                flow_database = stack.enter_context(closing(kept))
            self.platform = platform or Platform(database=flow_database)
            stack.callback(self.platform.close)
            self.run_api = RunApi(flow_database)
            app = create_app(self.platform, self.run_api)
            server = stack.enter_context(closing(ThreadServer(app, _listen(host, port), limits)))
            self._parts = stack.pop_all()
        self.url = f"http://{_reached_as(host)}:{server.port}"
        self.platform.url = self.run_api.url = self.url

    def close(self) -> None:
        """Stop listening."""
        self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def serve(
    host: str, port: int, database: Path | None = None, settings: Settings | None = None
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StartupError: as `SandboxServer` does.
    """
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    with SandboxServer(host, port, database=database, settings=settings):
        ended.wait()


def _reached_as(host: str) -> str:
    """The host for a URL; one that listens on every address is called by its name."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 (a comparison)
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there; stop it" if taken else str(error.strerror)
        raise StartupError(
            f"Cannot listen on {host}:{port}: {why}, or set ATOM_SANDBOX_BIND to another host:port."
        ) from None
