"""Process: where clients look up the ids of what can be started and paused."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, Response

from atom.catalog import Catalog
from atom.errors import InvalidRequest, NotFound
from atom.platform_api import filters, tokens
from atom.platform_api.filters import Kind
from atom.platform_api.problems import answer
from atom.platform_api.requests import json_object, text_body
from atom.platform_api.results import query_result

_PER_PAGE: Final = 100
# No process here is of an integration pack.
_PROPERTIES: Final = dict.fromkeys(
    ("id", "name", "integrationPackId", "integrationPackInstanceId"), Kind.TEXT
)


def create_blueprint(catalog: Catalog) -> Blueprint:
    """What is declared."""
    blueprint = Blueprint("processes", __name__)
    names = sorted(each.task_name for each in catalog.processes())

    @blueprint.post("/<account>/Process/query")
    def query(account: str) -> Response:
        return page(json_object("QueryFilter").get("QueryFilter"), "")

    @blueprint.post("/<account>/Process/queryMore")
    def query_more(account: str) -> Response:
        content = tokens.read(text_body())
        after = content.get("after")
        if not isinstance(after, str):
            raise InvalidRequest("That is no token of a query of processes.")
        return page(content.get("QueryFilter"), after)

    def page(asked: Any, after: str) -> Response:
        wanted = filters.read({"QueryFilter": asked}, _PROPERTIES)
        left = [each for each in names if each > after]
        found = [each for each in left if wanted.matches(_document(each))]
        shown, token = found[:_PER_PAGE], ""
        if len(found) > len(shown):
            token = tokens.write({"QueryFilter": asked, "after": shown[-1]})
        return answer(query_result([_document(each) for each in shown], token))

    @blueprint.get("/<account>/Process/<path:process_id>")
    def get(account: str, process_id: str) -> Response:
        if process_id not in names:
            raise NotFound(f"There is no process “{process_id}” here.")
        return answer(_document(process_id))

    return blueprint


def _document(name: str) -> Mapping[str, str]:
    return {"@type": "Process", "id": name, "name": name}
