"""The Flask app of the listener, put together."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from structlog.contextvars import clear_contextvars
from werkzeug.wsgi import ClosingIterator

from atom.catalog import Catalog
from atom.flow.addresses import CallbackPolicy
from atom.listener import (
    authentication,
    data_actions,
    files,
    headers,
    health,
    measuring,
    message_actions,
    metadata,
    openapi,
    problems,
    scrape,
    signals,
)
from atom.listener.accept import Acceptor
from atom.listener.authentication import Authenticator
from atom.listener.multipart import Uploads
from atom.listener.readiness import Readiness
from atom.metrics import Scrape, Standing
from atom.publisher import Publisher
from atom.server import TRAFFIC
from atom.server.metrics import TrafficCollector
from atom.settings import Settings
from atom.store import ExecutionStore
from atom.store.files import FileStore


def create_app(
    settings: Settings,
    catalog: Catalog,
    store: ExecutionStore,
    publisher: Publisher,
    file_store: FileStore,
    authenticator: Authenticator,
) -> Flask:
    """Build the listener over its parts."""
    app = Flask("atom.listener", static_folder=None)
    app.wsgi_app = own_log_context(app.wsgi_app)  # type: ignore[method-assign, assignment]
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    problems.install(app, settings.max_request_bytes)
    headers.install(app)
    measuring.install(app, catalog)
    authentication.install(app, authenticator)
    rates = {each.name: each.requests_per_second for each in catalog.services.values()}
    acceptor = Acceptor(store, publisher, CallbackPolicy.from_settings(settings), rates)
    app.register_blueprint(metadata.create_blueprint(catalog))
    app.register_blueprint(openapi.create_blueprint(catalog))
    app.register_blueprint(message_actions.create_blueprint(catalog, acceptor))
    uploads = Uploads(file_store, settings.max_file_bytes, settings.max_request_bytes)
    wait_seconds = settings.sync_seconds
    app.register_blueprint(data_actions.create_blueprint(catalog, acceptor, wait_seconds))
    app.register_blueprint(files.create_blueprint(catalog, acceptor, uploads, wait_seconds))
    app.register_blueprint(signals.create_blueprint(store, settings.max_step_bytes))
    readiness = Readiness(store, publisher.waiting, catalog)
    app.register_blueprint(health.create_blueprint(readiness))
    whole = Scrape(Standing(store, publisher, catalog), TrafficCollector(TRAFFIC))
    app.register_blueprint(scrape.create_blueprint(whole))
    return app


def own_log_context(app: WSGIApplication) -> WSGIApplication:
    """What is bound for the log lines of a request ends with it: its thread takes another then.

    It ends when the response is closed, since what `call_on_close` does belongs to the request.
    """

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        clear_contextvars()
        return ClosingIterator(app(environ, start_response), clear_contextvars)

    return call
