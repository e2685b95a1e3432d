"""Every answer that is not a 2xx: a ServiceProblem in one sentence, and never a traceback."""

import logging
from collections.abc import Mapping
from uuid import uuid4

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed

from atom.errors import RequestRefused, RequestTooLarge, Unauthorized, UnsupportedCoding
from atom.listener import headers
from atom.protocol.problems import PROBLEM_KIND_HEADER, service_problem

_log = logging.getLogger(__name__)


def install(app: Flask, max_request_bytes: int) -> None:
    """Answer every error of the app with a ServiceProblem."""

    @app.errorhandler(RequestRefused)
    def refused(error: RequestRefused) -> Response:
        response = problem(error.status, str(error))
        if error.retry_after_seconds is not None:
            response.headers["Retry-After"] = str(error.retry_after_seconds)
        if isinstance(error, UnsupportedCoding):
            response.headers["Accept-Encoding"] = error.accepted
        if isinstance(error, Unauthorized):
            response.headers["WWW-Authenticate"] = error.challenge
        return response

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> Response:
        return refused(
            RequestTooLarge(
                f"The request is larger than {max_request_bytes} bytes; the operator sets the "
                "limit in ATOM_MAX_REQUEST_BYTES."
            )
        )

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        match status:
            case 404:
                message = f"There is nothing at {request.path}."
            case 405:
                message = f"{request.method} is not possible at {request.path}."
            case _:
                message = f"{error.name}."
        response = problem(status, message)
        if isinstance(error, WerkzeugMethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    @app.errorhandler(Exception)
    def broken(_: Exception) -> Response:
        incident = uuid4()
        _log.exception(
            "Incident %s: a request could not be answered",
            incident,
            extra={"service": (request.view_args or {}).get("service"), "action": g.get("action")},
        )
        return problem(500, f"Something broke in this service (incident {incident}).")


def problem(status: int, message: str) -> Response:
    """A ServiceProblem as a response."""
    document = service_problem(request.path, status, message, getattr(g, "action", None))
    return Response(
        orjson.dumps(document),
        status,
        mimetype="application/json",
        headers={PROBLEM_KIND_HEADER: "service"},
    )


def refusal(status: int, message: str, path: str) -> tuple[Mapping[str, str], bytes]:
    """Return header fields and body of a ServiceProblem, for requests that reach no app."""
    fields = {
        "Content-Type": "application/json",
        PROBLEM_KIND_HEADER: "service",
        "Cache-Control": headers.CACHE_CONTROL,
        **headers.FIELDS,
    }
    return fields, orjson.dumps(service_problem(path, status, message, None))
