"""The Flask app of the listener, put together."""

from flask import Flask

from atom.catalog import Catalog
from atom.listener import health, message_actions, metadata, problems
from atom.listener.accept import Acceptor
from atom.publisher import Publisher
from atom.settings import Settings
from atom.store import ExecutionStore


def create_app(
    settings: Settings, catalog: Catalog, store: ExecutionStore, publisher: Publisher
) -> Flask:
    """Build the listener over its parts."""
    app = Flask("atom.listener", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_request_bytes
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    problems.install(app, settings.max_request_bytes)
    acceptor = Acceptor(store, publisher, settings.callback_hosts)
    app.register_blueprint(metadata.create_blueprint(catalog))
    app.register_blueprint(message_actions.create_blueprint(catalog, acceptor))
    app.register_blueprint(health.create_blueprint(store))
    return app
