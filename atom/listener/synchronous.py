"""Data and file requests: a flow never waits on them, so they are answered within the request."""

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response, request

from atom.durations import duration
from atom.errors import TookTooLong
from atom.listener import measuring
from atom.listener.accept import Acceptor
from atom.listener.body import running_user, tenant_id, traced
from atom.listener.problems import problem
from atom.process import Process
from atom.protocol.problems import PROBLEM_KIND_HEADER
from atom.protocol.requests import ConnectorRequest
from atom.records import State
from atom.store import Result


def answer(
    acceptor: Acceptor,
    process: Process,
    asked: ConnectorRequest,
    document: Mapping[str, Any],
    wait_seconds: float,
) -> Response:
    """Run a process through a worker and answer with its result.

    Raises:
        InvalidRequest: the process could not be called with this request; nothing is stored.
        TookTooLong: there is no result yet.
        Unavailable: the store is away.
    """
    with traced(process):
        return _answer(acceptor, process, asked, document, wait_seconds)


def _answer(
    acceptor: Acceptor,
    process: Process,
    asked: ConnectorRequest,
    document: Mapping[str, Any],
    wait_seconds: float,
) -> Response:
    process.check(asked)
    execution_id = acceptor.accept_synchronous(
        process,
        document,
        tenant_id=tenant_id(),
        state_id=asked.state_id or request.headers.get("ManyWhoState", "")[:100],
        running_user=running_user(),
        wait_seconds=wait_seconds,
    )
    result = acceptor.result(execution_id, wait_seconds)
    if isinstance(result, Result):
        measuring.waited(process, "result")
        return _response(result)
    measuring.waited(process, "withdrawn" if result else "timeout")
    if result:
        raise TookTooLong(
            f"No worker was free for {process.task_name} within {duration(wait_seconds)}; "
            f"execution {execution_id} was withdrawn and will not run.",
            is_withdrawn=True,
        )
    raise TookTooLong(
        f"{process.task_name} takes longer than {duration(wait_seconds)}; execution "
        f"{execution_id} goes on, and its result will be in the history."
    )


def _response(result: Result) -> Response:
    if result.state is State.COMPLETED:
        return Response(result.response, mimetype="application/json")
    document = orjson.loads(result.response)
    status = document.get("statusCode")
    if not isinstance(status, int):  # a worker without this service could not say it better
        return problem(500, "No worker could run this; its service is not the listener's.")
    return Response(
        result.response,
        status,
        mimetype="application/json",
        headers={PROBLEM_KIND_HEADER: "service"},
    )
