"""The listener under gunicorn."""

import errno
import logging
import math
import signal
import socket
import ssl
from itertools import count
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn import glogging
from gunicorn.app.base import BaseApplication

from atom.catalog import load_catalog
from atom.errors import StartupError, Unavailable
from atom.health import answers_at
from atom.listener import Authenticator, create_app
from atom.logs import configure_logging
from atom.metrics import share
from atom.publisher import Publisher
from atom.settings import Settings, is_loopback, split_bind
from atom.store import RedisStore
from atom.store.credential_store import CredentialStore
from atom.store.files import file_store

_log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve the declared services until SIGTERM.

    Raises:
        CatalogError: a service cannot be loaded.
        StartupError: the address is taken, or open to others while nobody would be asked who
            calls; a certificate cannot be used.
    """
    host, port = split_bind("ATOM_BIND", settings.bind)
    configure_logging(settings.log_level)
    _check_certificates(settings)
    authenticator = Authenticator(
        CredentialStore(settings).all,
        is_open=(is_loopback(host) or settings.allow_anonymous) and not settings.tls_client_ca,
        has_certificates=bool(settings.tls_client_ca),
    )
    _check_callers(authenticator, host, settings)
    check_free("ATOM_BIND", host, port)
    share()
    app = create_app(
        settings,
        load_catalog(settings.services),
        RedisStore(settings),
        Publisher(settings.broker),
        file_store(settings),
        authenticator,
    )
    tls = ("mutual" if settings.tls_client_ca else "server") if settings.tls_cert else ""
    answers_at("listener", host, port, tls=tls)
    _Gunicorn(app, settings).run()


def _check_callers(authenticator: Authenticator, host: str, settings: Settings) -> None:
    """Say it where anybody may call, which is on loopback only, unless the operator wants it so.

    The credentials read here are also what gunicorn's workers begin with.

    Raises:
        StartupError: nobody would be asked who calls from elsewhere.
    """
    try:
        if authenticator.has_credentials() or settings.tls_client_ca:
            return
    except Unavailable as error:  # until they can be read, requests are refused
        _log.warning("Whether there are credentials is not known yet: %s", error.__cause__)
        return
    if is_loopback(host):
        _log.info(
            "No credentials are configured: every program on this machine may call, and "
            "nobody else (atom credentials create NAME)."
        )
        return
    if not settings.allow_anonymous:
        raise StartupError(
            f"ATOM_BIND {settings.bind} is open to others, and nobody would be asked who calls: "
            "create credentials first (atom credentials create NAME), or set "
            "ATOM_TLS_CLIENT_CA, or listen on loopback (127.0.0.1:8077). In a container whose port "
            "is published on 127.0.0.1 only, ATOM_ALLOW_ANONYMOUS=true will do."
        )
    _log.warning(
        "ATOM_ALLOW_ANONYMOUS: whoever reaches %s may call every service, and is not asked who "
        "calls. It ends with the first credential (atom credentials create NAME).",
        settings.bind,
    )


def _check_certificates(settings: Settings) -> None:
    """Refuse certificate files that cannot be used, before gunicorn meets them in a worker.

    Raises:
        StartupError: naming the variable.
    """
    if not settings.tls_cert:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as error:  # an SSLError is one as well
        raise StartupError(
            f"ATOM_TLS_CERT {settings.tls_cert} and ATOM_TLS_KEY {settings.tls_key} cannot be "
            f"used: {error.strerror or error}."
        ) from None
    try:
        if settings.tls_client_ca:
            context.load_verify_locations(settings.tls_client_ca)
    except OSError as error:
        raise StartupError(
            f"ATOM_TLS_CLIENT_CA {settings.tls_client_ca} cannot be used: "
            f"{error.strerror or error}."
        ) from None


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
    if worker.nr_conns:
        _log.warning("Ended with %d connections open (ATOM_SHUTDOWN_SECONDS)", worker.nr_conns)


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
            # In whole seconds, as gunicorn counts them.
            "graceful_timeout": math.ceil(self._settings.shutdown_seconds),
            "when_ready": _quit_at_second_sigterm,
            "worker_exit": _tell_what_was_cut,
            "on_exit": lambda _: _log.info("The listener has ended"),
            "preload_app": True,
            "control_socket_disable": True,
            "logger_class": _Logger,
        }
        if self._settings.tls_cert:
            options |= {"certfile": self._settings.tls_cert, "keyfile": self._settings.tls_key}
        if self._settings.tls_client_ca:
            options |= {"ca_certs": self._settings.tls_client_ca, "cert_reqs": ssl.CERT_REQUIRED}
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """The WSGI app, loaded before the workers are forked."""
        return self._app
