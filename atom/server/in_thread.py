"""An HTTP server in threads of the current process, without gunicorn's processes."""

import socket
import ssl
import threading
from typing import Final
from wsgiref.types import WSGIApplication

from gunicorn.config import Config

from atom.server import refusals
from atom.server.application import Application
from atom.server.limits import Limits
from atom.server.loop import Loop
from atom.server.traffic import Traffic


class ThreadServer:
    """Serves an application on a listening socket until it is closed."""

    def __init__(
        self,
        app: WSGIApplication,
        listening: socket.socket,
        limits: Limits,
        *,
        write_refusal: refusals.Writer = refusals.plain_text,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Start at once; `close` closes the listening socket as well."""
        self.traffic: Final = Traffic()
        self.port: Final[int] = listening.getsockname()[1]
        self._listening, self._ended = listening, threading.Event()
        self._loop = Loop(
            [listening],
            Application(app, Config(), limits, write_refusal),
            limits,
            self.traffic.row(0),
            tls=None if tls is None else lambda: tls,
        )
        self._thread = threading.Thread(target=self._run, name="http-server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop at once; requests that threads are answering are still answered."""
        self._ended.set()
        self._loop.wake()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run(lambda: not self._ended.is_set())
        finally:
            self._loop.close()
            self._listening.close()
