"""A process of a server: gunicorn's worker around our event loop."""

import os
import time
from typing import Any, ClassVar

from gunicorn.workers.base import Worker as BaseWorker

from atom.server import refusals
from atom.server.application import Application
from atom.server.balance import Balance
from atom.server.limits import Limits
from atom.server.loop import Loop
from atom.server.tls import TlsContext
from atom.server.traffic import TRAFFIC


class Worker(BaseWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves HTTP/1.1 with time limits for each stage of a connection.

    Attributes:
        limits: how long a client may take; threads and idle time are those of gunicorn's
            configuration where this is None.
        write_refusal: writes the answers that the application does not give itself.
    """

    limits: ClassVar[Limits | None] = None
    write_refusal: ClassVar[refusals.Writer] = staticmethod(refusals.plain_text)

    def init_process(self) -> None:
        """Make the event loop, then serve."""
        self._loop: Loop | None = None
        super().init_process()

    def run(self) -> None:
        """Serve until the process is to end."""
        cls, cfg = type(self), self.cfg
        limits = cls.limits or Limits(threads=cfg.threads, idle_seconds=cfg.keepalive)
        loop = self._loop = Loop(
            self.sockets,
            Application(self.wsgi, cfg, limits, cls.write_refusal),
            limits,
            TRAFFIC.row(self.age),
            balance=Balance(self.age).accepts,
            tls=TlsContext(cfg) if cfg.is_ssl else None,
        )
        loop.run(self._goes_on)
        until = time.monotonic() + cfg.graceful_timeout
        loop.finish(until - time.monotonic(), self._is_watched)
        self.nr_conns = loop.active
        loop.close()
        for listening in self.sockets:
            listening.close()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to end."""
        self.alive = False
        if self._loop is not None:
            self._loop.wake()

    def _goes_on(self) -> bool:
        return self._is_watched() and self.alive

    def _is_watched(self) -> bool:
        """Show the arbiter a sign of life; returns whether it is still there."""
        self.notify()
        return bool(self.ppid == os.getppid())
