"""Atom: this one, and how it is."""

import socket
from typing import Final

from flask import Blueprint, Response

from atom.catalog import Catalog
from atom.errors import NotFound
from atom.names import PROCESSES
from atom.platform_api import filters
from atom.platform_api.filters import Kind
from atom.platform_api.names import ATOM_ID, check_atom
from atom.platform_api.problems import answer
from atom.platform_api.requests import json_object
from atom.platform_api.results import query_result
from atom.store import ExecutionStore

_PROPERTIES: Final = {
    **dict.fromkeys(("id", "name", "hostname"), Kind.TEXT),
    **dict.fromkeys(("status", "type", "capabilities"), Kind.WORD),
}


def create_blueprint(catalog: Catalog, store: ExecutionStore) -> Blueprint:
    """The one Atom that is here."""
    blueprint = Blueprint("runtimes", __name__)

    @blueprint.post("/<account>/Atom/query")
    def query(account: str) -> Response:
        wanted = filters.read(json_object("QueryFilter"), _PROPERTIES)
        found = document()
        # The platform writes the name of the host in two ways.
        is_wanted = wanted.matches({**found, "hostname": found["hostName"]})
        return answer(query_result([found] if is_wanted else []))

    @blueprint.get("/<account>/Atom/<atom_id>")
    def get(account: str, atom_id: str) -> Response:
        refusal = check_atom(atom_id)
        if refusal:
            raise NotFound(refusal)
        return answer(document())

    def document() -> dict[str, str]:
        named = {"id": ATOM_ID, "name": ATOM_ID, "hostName": socket.gethostname()}
        return {"@type": "Atom", **named, "type": "ATOM", "status": status()}

    def status() -> str:
        """It is as well as the queues of its processes have workers."""
        served = {bool(store.present(queue)) for queue in catalog.queues() or {PROCESSES}}
        if len(served) > 1:
            return "WARNING"
        return "ONLINE" if True in served else "OFFLINE"

    return blueprint
