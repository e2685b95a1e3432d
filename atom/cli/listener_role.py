"""The listener under gunicorn."""

import errno
import logging
import socket
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn import glogging
from gunicorn.app.base import BaseApplication

from atom.catalog import load_catalog
from atom.errors import StartupError
from atom.listener import create_app
from atom.logs import configure_logging
from atom.publisher import Publisher
from atom.settings import Settings, is_loopback, split_bind
from atom.store import RedisStore
from atom.store.files import file_store

_GRACEFUL_SECONDS = 30


def serve(settings: Settings) -> None:
    """Serve the declared services until SIGTERM.

    Raises:
        CatalogError: a service cannot be loaded.
        StartupError: the address is taken, or open to others while nobody has to log in.
    """
    host, port = split_bind("ATOM_BIND", settings.bind)
    if not is_loopback(host):
        raise StartupError(
            f"ATOM_BIND {settings.bind} is open to others, and callers are not asked for "
            "credentials yet: listen on loopback (127.0.0.1:8077) behind a proxy that asks."
        )
    check_free("ATOM_BIND", host, port)
    configure_logging(settings.log_level)
    catalog = load_catalog(settings.services)
    app = create_app(
        settings, catalog, RedisStore(settings), Publisher(settings.broker), file_store(settings)
    )
    _Gunicorn(app, settings).run()


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


class _Gunicorn(BaseApplication):
    """Gunicorn, configured by Settings and by nothing else."""

    def __init__(self, app: WSGIApplication, settings: Settings) -> None:
        self._app, self._settings = app, settings
        super().__init__()

    def load_config(self) -> None:
        """Set each option, with its reason where it has one."""
        options: dict[str, Any] = {
            "bind": [self._settings.bind],
            "workers": self._settings.listener_processes,
            # A request that waits for a synchronous answer holds a thread, not a process.
            "worker_class": "gthread",
            "threads": self._settings.listener_threads,
            "keepalive": 75,
            "graceful_timeout": _GRACEFUL_SECONDS,
            "preload_app": True,
            "control_socket_disable": True,
            "logger_class": _Logger,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """The WSGI app, loaded before the workers are forked."""
        return self._app
