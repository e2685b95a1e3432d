"""`/fs/<Service>/data`: load (POST), save (PUT) and delete (POST …/delete)."""

from flask import Blueprint, Response, g

from atom.catalog import Catalog
from atom.data_action import Operation
from atom.listener import measuring, synchronous
from atom.listener.accept import Acceptor
from atom.listener.body import json_document
from atom.protocol.data_actions import is_get, type_name_of


def create_blueprint(catalog: Catalog, acceptor: Acceptor, wait_seconds: float) -> Blueprint:
    """The data actions of every service."""
    blueprint = Blueprint("data_actions", __name__)

    @blueprint.post("/fs/<service>/data")
    def load(service: str) -> Response:
        return run(service, None)

    @blueprint.put("/fs/<service>/data")
    def save(service: str) -> Response:
        return run(service, Operation.SAVE)

    @blueprint.post("/fs/<service>/data/delete")
    def delete(service: str) -> Response:
        return run(service, Operation.DELETE)

    def run(service: str, operation: Operation | None) -> Response:
        catalog.service(service)
        document = json_document()
        name = type_name_of(document)
        if operation is None:
            operation = Operation.GET if is_get(document) else Operation.QUERY
        g.action = f"{name}.{operation}"[:200]
        process = catalog.data_process(service, name, operation)
        measuring.asks_for(process)
        asked = process.read(document)
        return synchronous.answer(acceptor, process, asked, document, wait_seconds)

    return blueprint
