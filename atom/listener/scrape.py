"""`GET /metrics`: what Prometheus reads."""

from flask import Blueprint, Response

from atom.listener.inside import only_for_inside
from atom.metrics import Scrape


def create_blueprint(scrape: Scrape) -> Blueprint:
    """For callers from the inside network; for others there is nothing here."""
    blueprint = Blueprint("scrape", __name__)

    @blueprint.get("/metrics")
    def metrics() -> Response:
        only_for_inside()
        return Response(scrape.text(), content_type=scrape.content_type)

    return blueprint
