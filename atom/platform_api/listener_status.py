"""ListenerStatus: what takes requests, and what is paused; the answer to a token got before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response

from atom.catalog import Catalog
from atom.errors import InvalidRequest
from atom.execution import pausing
from atom.platform_api import filters, tokens
from atom.platform_api.filters import Kind
from atom.platform_api.names import ATOM_ID, check_atom
from atom.platform_api.problems import answer
from atom.platform_api.requests import json_object
from atom.platform_api.results import async_result
from atom.store import ExecutionStore

_PROPERTIES: Final = {"listenerId": Kind.TEXT, "containerId": Kind.TEXT}


def create_blueprint(catalog: Catalog, store: ExecutionStore) -> Blueprint:
    """Each process of each service as a listener."""
    blueprint = Blueprint("listener_status", __name__)

    @blueprint.post("/<account>/async/ListenerStatus/query")
    def query(account: str) -> Response:
        asked = json_object("QueryFilter").get("QueryFilter")
        _read(asked)
        token = {"@type": "AsyncToken", "token": tokens.write({"QueryFilter": asked})}
        return answer(
            {
                "@type": "AsyncOperationTokenResult",
                "asyncToken": token,
                "responseStatusCode": 202,
            },
            202,
        )

    @blueprint.get("/<account>/async/ListenerStatus/response/<token>")
    def response(account: str, token: str) -> Response:
        """As it is now: the token says what was asked, and nothing is kept of it here."""
        wanted, since = _read(tokens.read(token).get("QueryFilter")), store.paused()
        found = [
            _status(each.task_name, pausing.paused_since(since, each.service, each.action))
            for each in catalog.processes()
            if wanted.matches({"listenerId": each.task_name, "containerId": ATOM_ID})
        ]
        return answer(async_result(found, 200))

    return blueprint


def _read(asked: Any) -> filters.Expression:
    expression = filters.read({"QueryFilter": asked}, _PROPERTIES)
    containers = [
        each
        for each in filters.conditions(expression)
        if each.name == "containerId" and each.operator == "EQUALS"
    ]
    if not containers:
        raise InvalidRequest("Say of which Atom: “containerId” EQUALS its id.")
    for each in containers:
        refusal = check_atom(each.arguments[0])
        if refusal:
            raise InvalidRequest(refusal)
    return expression


def _status(name: str, since: datetime | None) -> Mapping[str, str]:
    status = "paused" if since else "listening"
    return {"@type": "ListenerStatus", "listenerId": name, "status": status}
