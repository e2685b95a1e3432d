"""The Flask app of the platform's API, put together, and where it is served."""

from typing import Final
from wsgiref.types import WSGIApplication

from flask import Flask, Response, request
from werkzeug.exceptions import NotAcceptable
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from atom.catalog import Catalog
from atom.platform_api import (
    access,
    execution_artifacts,
    execution_records,
    execution_requests,
    listener_changes,
    listener_status,
    problems,
    processes,
    runtimes,
)
from atom.platform_api.access import Users
from atom.platform_api.starting import Starter
from atom.publisher import Publisher
from atom.store import ExecutionStore

PATH: Final = "/api/rest/v1"

_SERVED: Final = (
    "ExecutionRecord, ExecutionArtifacts, ExecutionRequest, executeProcess, cancelExecution, "
    "changeListenerStatus, ListenerStatus, Process and Atom"
)
_JSON: Final = "application/json"


def create_app(
    catalog: Catalog,
    store: ExecutionStore,
    publisher: Publisher,
    users: Users,
    max_request_bytes: int,
) -> Flask:
    """Build the API over its parts.

    Args:
        catalog: what is declared, as far as it could be loaded.
        store: what happened.
        publisher: wakes the workers for what is started.
        users: who may call.
        max_request_bytes: how large a request may be.
    """
    app = Flask("atom.platform_api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_request_bytes
    problems.install(app, _SERVED)
    access.install(app, users)

    @app.before_request
    def speak_json() -> None:
        if request.accept_mimetypes and not request.accept_mimetypes.quality(_JSON):
            raise NotAcceptable

    @app.after_request
    def head(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    app.register_blueprint(execution_records.create_blueprint(store))
    app.register_blueprint(execution_artifacts.create_blueprint(store))
    starter = Starter(catalog, store, publisher)
    app.register_blueprint(execution_requests.create_blueprint(catalog, store, starter))
    app.register_blueprint(listener_changes.create_blueprint(catalog, store))
    app.register_blueprint(listener_status.create_blueprint(catalog, store))
    app.register_blueprint(processes.create_blueprint(catalog))
    app.register_blueprint(runtimes.create_blueprint(catalog, store))
    return app


def mounted(api: Flask, console: WSGIApplication) -> WSGIApplication:
    """Both as one: the API below its own path, beside the console's pages."""
    return DispatcherMiddleware(console, {PATH: api})
