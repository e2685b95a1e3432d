"""`POST /fs/<Service>/actions/<uriPart>`: the requests that may be answered with WAIT."""

from collections.abc import Iterator
from urllib.parse import unquote

import orjson
from flask import Blueprint, Response, g

from atom.catalog import Catalog
from atom.errors import NotFound
from atom.listener import measuring
from atom.listener.accept import Acceptor
from atom.listener.body import json_document, running_user, traced
from atom.message_process import MessageProcess
from atom.protocol.message_actions import ServiceRequest, unsealed, wait
from atom.store import Accepted


def create_blueprint(catalog: Catalog, acceptor: Acceptor) -> Blueprint:
    """The message actions of every service."""
    blueprint = Blueprint("message_actions", __name__)

    @blueprint.post("/fs/<service>/actions/<path:action>")
    def run_action(service: str, action: str) -> Response:
        g.action = action
        process = _process(catalog, service, action)
        g.action = process.action
        measuring.asks_for(process)
        with traced(process):
            return answer(process)

    def answer(process: MessageProcess) -> Response:
        document = json_document()
        asked = process.read(document)
        accepted = acceptor.accept(process, asked, document, running_user())
        if not accepted.is_new:
            measuring.is_duplicate()
        if process.options.sync_timeout:
            return _answer_in_time(acceptor, process, asked, accepted)
        response = _wait(process, asked)
        if accepted.is_new:
            # The worker is woken once the answer has been written, so that no callback can
            # overtake it. Should this process die in between, recovery wakes one.
            response.call_on_close(lambda: acceptor.publish(process, accepted))
        return response

    return blueprint


def _process(catalog: Catalog, service: str, action: str) -> MessageProcess:
    """Some clients encode the uriPart of the metadata once more."""
    try:
        return catalog.message_process(service, action)
    except NotFound:
        return catalog.message_process(service, unquote(action))


def _answer_in_time(
    acceptor: Acceptor, process: MessageProcess, asked: ServiceRequest, accepted: Accepted
) -> Response:
    """The outcome where it comes within sync_timeout, else WAIT: the store decides, once."""
    if accepted.is_new:
        acceptor.publish(process, accepted)
        acceptor.wait(process, accepted.id)
    answer = acceptor.answer(accepted.id)
    measuring.waited(process, "wait" if answer.response is None else "inline")
    if answer.response is None:
        return _wait(process, asked, answer.progress)
    content = unsealed(answer.response, asked.token)

    def written() -> Iterator[bytes]:
        yield content
        # Reached only when the server has written all of it.
        acceptor.confirm(accepted.id)

    return Response(
        written(), mimetype="application/json", headers={"Content-Length": str(len(content))}
    )


def _wait(process: MessageProcess, asked: ServiceRequest, progress: str | None = None) -> Response:
    message = progress or process.options.wait_message
    document = wait(asked.token, asked.tenant_id, message)
    return Response(orjson.dumps(document), mimetype="application/json")
