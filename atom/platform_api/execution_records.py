"""ExecutionRecord: the query, its further pages, and one by the id of its request."""

from flask import Blueprint, Response

from atom.errors import NotFound
from atom.platform_api import searching
from atom.platform_api.execution_record import document, record
from atom.platform_api.problems import answer
from atom.platform_api.requests import json_object, text_body
from atom.platform_api.results import async_result, query_result
from atom.records import State
from atom.store import ExecutionStore


def create_blueprint(store: ExecutionStore) -> Blueprint:
    """What the store has, as records."""
    blueprint = Blueprint("execution_records", __name__)

    @blueprint.post("/<account>/ExecutionRecord/query")
    def query(account: str) -> Response:
        return page(searching.query(store, account, json_object("QueryFilter", "QuerySort")))

    @blueprint.post("/<account>/ExecutionRecord/queryMore")
    def query_more(account: str) -> Response:
        return page(searching.query_more(store, account, text_body()))

    @blueprint.get("/<account>/ExecutionRecord/async/<execution_id>")
    def get(account: str, execution_id: str) -> Response:
        """202 until a worker has it: the record is not there yet, whoever asks asks again."""
        execution = store.get(execution_id)
        if execution is None:
            raise NotFound(f"There is no execution {execution_id} (or it outlived its retention).")
        if execution.state is State.ACCEPTED:
            return answer(async_result([], 202), 202)
        return answer(async_result([document(record(execution, account))], 200))

    def page(found: searching.Found) -> Response:
        return answer(query_result([document(each) for each in found.records], found.token))

    return blueprint
