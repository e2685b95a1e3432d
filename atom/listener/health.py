"""`GET /health`: 200 while work can be accepted."""

import orjson
from flask import Blueprint, Response

from atom.errors import StoreUnavailable, Unavailable
from atom.store import ExecutionStore


def create_blueprint(store: ExecutionStore) -> Blueprint:
    """Health at the root and, as the protocol has it, under each service."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health")
    @blueprint.get("/fs/<service>/health")
    def health(service: str | None = None) -> Response:
        try:
            store.ping()
        except StoreUnavailable as error:
            raise Unavailable("No work can be accepted: the store does not answer.") from error
        return Response(orjson.dumps({"status": "ok"}), mimetype="application/json")

    return blueprint
