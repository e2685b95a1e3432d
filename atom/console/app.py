"""The Flask app of the console, put together."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from flask import Flask

from atom.catalog import Catalog
from atom.console import (
    execution,
    executions,
    export,
    flower_proxy,
    inbox,
    login,
    overview,
    problems,
    reruns,
    security,
    services,
    showing,
    trying,
)
from atom.console.jobs import Jobs
from atom.console.login import Users
from atom.settings import Settings
from atom.store import ExecutionStore
from atom.store.session_store import SESSION_SECONDS, SessionStore

# Few forms of ours are larger.
_MAX_FORM_BYTES: Final = 16_384


def create_app(
    settings: Settings,
    catalog: Catalog,
    store: ExecutionStore,
    waiting: Callable[[str], int],
    users: Users,
    sessions: SessionStore,
    secret: bytes,
) -> Flask:
    """Build the console over its parts.

    Args:
        settings: what it links to.
        catalog: what is declared, as far as it could be loaded.
        store: what happened.
        waiting: how many messages the broker has in a queue; raises PublishFailed.
        users: who may look.
        sessions: those that are open.
        secret: signs the sessions; the same for every process of the console.
    """
    app = Flask("atom.console")
    app.config.update(
        SECRET_KEY=secret,
        SESSION_COOKIE_NAME="atom_console",
        # Strict would show the login to whoever follows a link from a chat or a ticket. Nothing
        # is done by a GET, and a POST needs more than the cookie.
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=SESSION_SECONDS),
        MAX_CONTENT_LENGTH=_MAX_FORM_BYTES,
    )
    app.session_interface = security.Sessions()
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    showing.install(app)
    problems.install(app)
    security.install(app, trying.LIMITS)
    login.install(app, users, sessions)
    app.add_url_rule("/health", "health", lambda: {"status": "ok"})
    link = settings.flower_link or (flower_proxy.PATH if settings.flower_url else "")
    if settings.flower_url:
        app.register_blueprint(flower_proxy.create_blueprint(settings))
    app.register_blueprint(overview.create_blueprint(catalog, store, waiting, link))
    app.register_blueprint(inbox.create_blueprint(store, Jobs()))
    app.register_blueprint(executions.create_blueprint(catalog, store))
    app.register_blueprint(export.create_blueprint(store))
    app.register_blueprint(execution.create_blueprint(catalog, store, settings.listener, link))
    app.register_blueprint(reruns.create_blueprint(catalog, store))
    app.register_blueprint(services.create_blueprint(catalog, store, settings))
    app.register_blueprint(trying.create_blueprint(catalog, settings))
    return app
