"""`POST /signals/<execution id>/<name>`: an event from outside that an execution waits for.

The event is a JSON document or a form, such as a button in a mail sends it.

Whoever sends it needs no credentials of the service, but the token that the process gave away.
"""

import logging
from typing import Final

import orjson
from flask import Blueprint, Response, request

from atom.errors import (
    Conflict,
    Forbidden,
    RequestTooLarge,
    StoreUnanswered,
    StoreUnavailable,
    TokenMissing,
    Unavailable,
    Unreadable,
    ValueTooLarge,
)
from atom.listener.body import json_body
from atom.listener.forms import form_document, is_form
from atom.protocol.exact_json import normal_json
from atom.store import ExecutionStore
from atom.suspension import Signalled

_log = logging.getLogger(__name__)

_BEARER: Final = "bearer"
_TAKEN: Final = (Signalled.WOKEN, Signalled.KEPT)


def create_blueprint(store: ExecutionStore, max_event_bytes: int) -> Blueprint:
    """Take signals; an event is recorded as a step, and may be as large as one."""
    blueprint = Blueprint("signals", __name__)

    @blueprint.post("/signals/<execution_id>/<path:name>")
    def take(execution_id: str, name: str) -> Response:
        token = _token()
        event = _event()
        if len(orjson.dumps(event)) > max_event_bytes:  # it is recorded as a text
            raise RequestTooLarge(
                f"As a step the event is larger than {max_event_bytes} bytes; the operator sets "
                "the limit in ATOM_MAX_STEP_BYTES."
            )
        try:
            signalled = store.signal(execution_id, name, event, token)
        except ValueTooLarge as error:
            raise RequestTooLarge(f"The event cannot be stored. {error}") from error
        except StoreUnanswered as error:
            raise Unavailable(
                "The store did not confirm the signal in time. Either it is stored already, or it "
                "never will be. Send the same event again: it counts once."
            ) from error
        except (StoreUnavailable, Unreadable) as error:
            raise Unavailable("The signal was not stored. Try again.") from error
        if signalled is Signalled.GIVEN:
            raise Conflict(f"Another event was given for the signal “{name}” before.")
        if signalled is Signalled.ENDED:
            raise Conflict(f"Execution {execution_id} has ended; it takes no signals.")
        if signalled not in _TAKEN:
            raise Forbidden("There is no such signal, or its token is another one.")
        _log.info("Execution %s: signal “%s” came", execution_id, name)
        taken = {"executionId": execution_id, "signal": name}
        return Response(orjson.dumps(taken), 202, mimetype="application/json")

    return blueprint


def _event() -> str:
    """Return the body as JSON: null without one, an object of texts for a form."""
    is_empty = request.content_length == 0 or not (request.content_length or request.mimetype)
    if is_empty:
        return "null"
    return orjson.dumps(form_document()).decode() if is_form() else normal_json(json_body())


def _token() -> str:
    """From the header, or from the query, for callers who can only be given a URL."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == _BEARER and token.strip():
        return token.strip()
    if token := request.args.get("token", ""):
        return token
    raise TokenMissing("Send the token of the signal as Authorization: Bearer <token>.")
