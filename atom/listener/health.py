"""`/health`: the process is alive. `/ready`, and the protocol's health: work can be accepted."""

import orjson
from flask import Blueprint, Response

from atom.errors import Unavailable
from atom.listener.inside import only_for_inside
from atom.listener.readiness import Readiness


def create_blueprint(readiness: Readiness) -> Blueprint:
    """Health at the root asks nobody, so that an outage of the store ends no listener.

    The protocol has it under each service as well, where it means that work can be accepted.
    """
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health")
    def health() -> Response:
        return _json({"status": "ok"})

    @blueprint.get("/fs/<service>/health")
    def service_health(service: str) -> Response:
        verdict = readiness.look()
        if not verdict.is_ready:
            raise Unavailable("No work can be accepted: the store does not take it.")
        return _json({"status": "ok"})

    @blueprint.get("/ready")
    def ready() -> Response:
        only_for_inside()
        verdict = readiness.look()
        return _json(verdict.document, 200 if verdict.is_ready else 503)

    return blueprint


def _json(document: object, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, mimetype="application/json")
