"""The console under gunicorn, and beside it the API for programs."""

import hmac
import logging
import secrets
from typing import Final

from atom import platform_api
from atom.catalog import Catalog, load_what_loads
from atom.cli.trusted_proxies import TrustedProxies
from atom.console import Users, create_app
from atom.endpoints import is_loopback, split_bind
from atom.health import answers_at
from atom.logs import configure_logging
from atom.names import CONSOLE
from atom.presence import Announcer
from atom.publisher import Publisher
from atom.server import TRAFFIC, Gunicorn, Limits, check_free
from atom.settings import Settings
from atom.store import open_store
from atom.store.credential_store import CredentialStore
from atom.store.session_store import SessionStore

_log = logging.getLogger(__name__)

# One process, so that failed logins are counted in one place.
_PROCESSES: Final = 1
_THREADS: Final = 8


def serve(settings: Settings) -> None:
    """Serve the console until SIGTERM.

    Raises:
        StartupError: the address is taken.
    """
    host, port = split_bind("ATOM_CONSOLE_BIND", settings.console_bind)
    configure_logging(settings.log_level, settings.log_format, "console")
    check_free("ATOM_CONSOLE_BIND", host, port)
    catalog, store, publisher = _catalog(settings), open_store(settings), Publisher(settings.broker)
    users = Users(CredentialStore(settings).all, is_on_loopback=is_loopback(host))
    sessions, secret = SessionStore(settings), _session_secret(settings)
    pages = create_app(settings, catalog, store, publisher.waiting, users, sessions, secret)
    api = platform_api.create_app(catalog, store, publisher, users, settings.max_request_bytes)
    answers_at(CONSOLE, host, port)
    _log.info("The console listens on http://%s", settings.console_bind)
    Gunicorn(
        TrustedProxies(platform_api.mounted(api, pages), settings.trusted_proxies),
        Announcer(settings, CONSOLE, changing=TRAFFIC.details),
        settings.console_bind,
        processes=_PROCESSES,
        limits=Limits.from_settings(settings, _THREADS),
        shutdown_seconds=settings.shutdown_seconds,
    ).run()


def _catalog(settings: Settings) -> Catalog:
    """What is declared; a service that is broken is no reason to show nothing at all."""
    catalog = load_what_loads(settings.services)
    for reference, reason in catalog.failures.items():
        _log.warning("The console cannot show what is in %s: %s", reference, reason)
    return catalog


def _session_secret(settings: Settings) -> bytes:
    """What signs the sessions; never kept in Redis, where a reader could forge them with it.

    With ATOM_SECRET_KEY they outlive a restart; without, everybody logs in again.
    """
    if settings.secret_key:
        return hmac.digest(settings.secret_key[0].encode(), b"sessions of the console", "sha256")
    return secrets.token_bytes(32)
