"""Every answer that is not a 2xx: an Error as the platform has it, and never a traceback."""

import logging
from typing import Final

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from atom.errors import (
    AtomError,
    HistoryUnavailable,
    RequestRefused,
    StoreUnavailable,
    Unauthorized,
    UnsupportedCoding,
)

_log = logging.getLogger(__name__)

_AWAY_SECONDS: Final = 5


def install(app: Flask, served: str) -> None:
    """Answer every error of the app so.

    Args:
        app: the API.
        served: the names of what it serves, for who asks for something else.
    """

    @app.errorhandler(RequestRefused)
    def refused(no: RequestRefused) -> Response:
        response = error(no.status, str(no))
        retry_after = getattr(no, "retry_after_seconds", None)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        if isinstance(no, UnsupportedCoding):
            response.headers["Accept-Encoding"] = no.accepted
        if isinstance(no, Unauthorized):
            response.headers["WWW-Authenticate"] = 'Basic realm="flow-atom", charset="UTF-8"'
        return response

    @app.errorhandler(StoreUnavailable)
    @app.errorhandler(HistoryUnavailable)
    def away(no: AtomError) -> Response:
        _log.warning("%s %s could not be answered: %s", request.method, request.path, no)
        which = "history database" if isinstance(no, HistoryUnavailable) else "store"
        response = error(503, f"The {which} does not answer; try again.")
        response.headers["Retry-After"] = str(_AWAY_SECONDS)
        return response

    @app.errorhandler(HTTPException)
    def http_error(no: HTTPException) -> Response:
        match no.code:
            case 404:
                said = f"There is nothing at {request.path}; this Atom serves {served}."
            case 406:
                said = "This Atom answers in JSON only: send Accept application/json."
            case 405:
                said = f"{request.method} is not possible at {request.path}."
            case _:
                said = f"{no.name}."
        response = error(no.code or 500, said)
        response.headers.extend({name: text for name, text in no.get_headers() if name == "Allow"})
        return response

    @app.errorhandler(Exception)
    def broken(_: Exception) -> Response:
        _log.exception("%s %s failed", request.method, request.path)
        return error(500, "Something broke here; the console's log says what.")


def error(status: int, message: str) -> Response:
    """An Error as a response."""
    return answer({"@type": "Error", "message": message}, status)


def answer(document: object, status: int = 200) -> Response:
    """A document as a response."""
    return Response(orjson.dumps(document), status, mimetype="application/json")
