"""The sandbox as a server: in a thread for tests, in the foreground for `atom sandbox`."""

import errno
import signal
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from atom.errors import StartupError
from atom.sandbox.app import create_app
from atom.sandbox.database import SandboxDatabase
from atom.sandbox.platform import Platform
from atom.sandbox.run_api import RunApi


class _Quiet(WSGIRequestHandler):
    """Requests are in the flows' journals; they need no log of their own."""

    def log_request(self, *_: object) -> None:
        """Say nothing."""


class SandboxServer:
    """A sandbox on a loopback port (0: a free one). As a context manager it ends with the block."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        platform: Platform | None = None,
        database: Path | None = None,
    ) -> None:
        """Listen; flows are kept in the database, a file, or else in memory alone.

        Raises:
            StartupError: the address is taken, or the database cannot be opened.
        """
        self._database = SandboxDatabase(database) if database else None
        self.platform = platform or Platform(database=self._database)
        self.run_api = RunApi(self._database)
        app = create_app(self.platform, self.run_api)
        self._server = _listen(app, host, port)
        self.url = f"http://{_reached_as(host)}:{self._server.port}"
        self.platform.url = self.run_api.url = self.url
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="sandbox", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.platform.close()
        if self._database is not None:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def serve(host: str, port: int, database: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StartupError: as `SandboxServer` does.
    """
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    with SandboxServer(host, port, database=database):
        ended.wait()


def _reached_as(host: str) -> str:
    """The host for a URL; one that listens on every address is called by its name."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 (a comparison)
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _listen(app: Flask, host: str, port: int) -> BaseWSGIServer:
    # Bound here: werkzeug prints its own text and exits where the address is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there; stop it" if taken else str(error.strerror)
        raise StartupError(
            f"Cannot listen on {host}:{port}: {why}, or set ATOM_SANDBOX_BIND to another host:port."
        ) from None
    with bound:
        return make_server(
            host,
            bound.getsockname()[1],
            app,
            threaded=True,
            request_handler=_Quiet,
            fd=bound.fileno(),
        )
