"""The listener under gunicorn."""

import logging
import ssl
from typing import Any

from atom.catalog import load_catalog
from atom.endpoints import is_loopback, split_bind
from atom.errors import StartupError, Unavailable
from atom.execution.wakeup import Waker
from atom.health import answers_at
from atom.listener import Authenticator, create_app
from atom.listener.latency import LATENCY
from atom.listener.problems import refusal
from atom.logs import configure_logging
from atom.metrics import share
from atom.names import LISTENER
from atom.presence import Announcer
from atom.publisher import Publisher
from atom.server import TRAFFIC, Gunicorn, Limits, check_free
from atom.settings import Settings
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
    configure_logging(settings.log_level, settings.log_format, "listener")
    check_certificates(settings)
    authenticator = Authenticator(
        CredentialStore(settings).all,
        is_open=(is_loopback(host) or settings.allow_anonymous) and not settings.tls_client_ca,
        has_certificates=bool(settings.tls_client_ca),
    )
    _check_callers(authenticator, host, settings)
    check_free("ATOM_BIND", host, port)
    share()
    catalog, publisher = load_catalog(settings.services), Publisher(settings.broker)
    app = create_app(
        settings,
        catalog,
        RedisStore(settings, on_released=Waker(catalog, publisher)),
        publisher,
        file_store(settings),
        authenticator,
    )
    tls = ("mutual" if settings.tls_client_ca else "server") if settings.tls_cert else ""
    answers_at(LISTENER, host, port, tls=tls)
    Gunicorn(
        app,
        Announcer(
            settings,
            LISTENER,
            catalog.services,
            lambda: {**LATENCY.details(), **TRAFFIC.details()},
        ),
        settings.bind,
        processes=settings.listener_processes,
        limits=Limits.from_settings(settings, settings.listener_threads),
        write_refusal=refusal,
        shutdown_seconds=settings.shutdown_seconds,
        **_tls_options(settings),
    ).run()


def _tls_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if settings.tls_cert:
        options |= {"certfile": settings.tls_cert, "keyfile": settings.tls_key}
    if settings.tls_client_ca:
        options |= {"ca_certs": settings.tls_client_ca, "cert_reqs": ssl.CERT_REQUIRED}
    return options


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


def check_certificates(settings: Settings) -> None:
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
