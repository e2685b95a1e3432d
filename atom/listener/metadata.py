"""`POST /fs/<Service>/metadata` and `/metadata/install`: what a flow platform learns at install."""

import orjson
from flask import Blueprint, Response, request

from atom.catalog import Catalog
from atom.errors import InvalidRequest
from atom.listener.body import json_body, text_body
from atom.protocol.wire import parse_json


def create_blueprint(catalog: Catalog) -> Blueprint:
    """The metadata of every service; it cannot change, so it is written out once."""
    blueprint = Blueprint("metadata", __name__)
    described = {
        name: orjson.dumps(service.describe()) for name, service in catalog.services.items()
    }

    @blueprint.post("/fs/<service>/metadata")
    @blueprint.post("/fs/<service>/metadata/install")
    def describe(service: str) -> Response:
        name = catalog.service(service).name
        # Nothing in the request changes the answer, and the platform may send none at all.
        body = json_body() if request.mimetype else text_body()
        if body.strip() and not isinstance(parse_json(body), dict):
            raise InvalidRequest("The DescribeServiceRequest must be a JSON object.")
        return Response(described[name], mimetype="application/json")

    return blueprint
