"""HTTP roles under gunicorn: the part that listener and console share."""

import errno
import logging
import math
import signal
import socket
from itertools import count
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn import glogging
from gunicorn.app.base import BaseApplication

from atom.errors import StartupError
from atom.garbage import settle
from atom.presence import Announcer
from atom.server import refusals
from atom.server.limits import Limits
from atom.server.worker import Worker

_log = logging.getLogger(__name__)


class Gunicorn(BaseApplication):
    """Gunicorn, configured by what it is given and by nothing else."""

    def __init__(
        self,
        app: WSGIApplication,
        announcer: Announcer,
        bind: str,
        *,
        processes: int,
        limits: Limits,
        shutdown_seconds: float,
        write_refusal: refusals.Writer = refusals.plain_text,
        **options: Any,
    ) -> None:
        """Make one; `run` serves until SIGTERM.

        Args:
            app: what it serves, loaded before its processes are forked.
            announcer: says that it is there.
            bind: `host:port`.
            processes: how many.
            limits: of each process: its threads, and how long a client may take.
            shutdown_seconds: how long requests may take that it has when it is to end.
            write_refusal: writes the answers that the app does not give itself.
            options: others, as gunicorn calls them.
        """
        self._app, self._announcer = app, announcer
        settings = {"limits": limits, "write_refusal": staticmethod(write_refusal)}
        self._options = {
            "bind": [bind],
            "workers": processes,
            # A request that waits for a synchronous answer holds a thread, not a process.
            "worker_class": type("LimitedWorker", (Worker,), settings),
            "threads": limits.threads,
            "keepalive": math.ceil(limits.idle_seconds),
            # In whole seconds, as gunicorn counts them.
            "graceful_timeout": math.ceil(shutdown_seconds),
            "on_starting": lambda _: settle(),
            "when_ready": _quit_at_second_sigterm,
            "worker_exit": _tell_what_was_cut,
            # In each process, and not in the one that forks them: that has to have one thread.
            "post_worker_init": lambda _: announcer.start(),
            "on_exit": self._end,
            "preload_app": True,
            "control_socket_disable": True,
            "logger_class": _Logger,
            **options,
        }
        super().__init__()

    def load_config(self) -> None:
        """Set each option."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def _end(self, _arbiter: Any) -> None:
        self._announcer.end()
        _log.info("The %s has ended", self._announcer.role)

    def load(self) -> WSGIApplication:
        """The WSGI app."""
        return self._app


def check_free(variable: str, host: str, port: int) -> None:
    """Refuse an address that another program listens on.

    Raises:
        StartupError: naming the variable to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                why = "another program listens there; stop it"
            else:
                why = f"{error.strerror or error}; use an address of this machine"
            raise StartupError(
                f"Cannot listen on {host}:{port}: {why}, or set {variable} to another host:port."
            ) from None


class _Logger(glogging.Logger):
    """Gunicorn's own messages through our logging; requests are not logged one by one."""

    def setup(self, cfg: Any) -> None:
        """Leave handlers and levels to `configure_logging`."""
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)
        self.access_log.disabled = True

    def access(self, *_: Any) -> None:
        """Say nothing: an execution's own lines tell more."""


def _quit_at_second_sigterm(arbiter: Any) -> None:
    """Whoever asks twice does not want to wait; gunicorn itself would ignore it."""
    asked = count()

    def handle(_signal: int, frame: Any) -> None:
        arbiter.signal(signal.SIGQUIT if next(asked) else signal.SIGTERM, frame)

    signal.signal(signal.SIGTERM, handle)


def _tell_what_was_cut(_arbiter: Any, worker: Any) -> None:
    """Requests that did not end in time; what they had accepted goes on."""
    connections = getattr(worker, "nr_conns", 0)
    if connections:
        _log.warning("Ended with %d connections open (ATOM_SHUTDOWN_SECONDS)", connections)
