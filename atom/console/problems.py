"""What a page says when there is none to show."""

import logging
from typing import Final

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from atom.errors import (
    AtomError,
    HistoryUnavailable,
    RequestRefused,
    StoreUnavailable,
    Unavailable,
)

_log = logging.getLogger(__name__)

_SENTENCES: Final = {
    404: "There is no such page here.",
    405: "That cannot be done here.",
    413: "That is more than a form of ours holds.",
}


def install(app: Flask) -> None:
    """Answer every error of the app with a page, and never with a traceback."""

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        response = problem(error.code or 500, _SENTENCES.get(error.code or 500, error.name))
        response.headers.extend(
            {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        )
        return response

    @app.errorhandler(StoreUnavailable)
    @app.errorhandler(Unavailable)
    def away(error: AtomError) -> Response:
        _log.warning("A page could not be shown: %s", error)
        return problem(503, "The store does not answer; what is in it cannot be shown now.")

    @app.errorhandler(HistoryUnavailable)
    def partly_away(error: HistoryUnavailable) -> Response:
        _log.warning("A page could not be shown: %s", error)
        return problem(503, f"It is not in Redis, and older ones cannot be asked for. {error}")

    @app.errorhandler(RequestRefused)
    def unreadable(error: RequestRefused) -> Response:
        return problem(error.status, str(error))

    @app.errorhandler(Exception)
    def broken(_: Exception) -> Response:
        _log.exception("%s %s failed", request.method, request.path)
        return problem(500, "This page could not be made; the console's log says why.")


def problem(status: int, sentence: str) -> Response:
    """A page that says what is the matter."""
    return Response(render_template("problem.html", status=status, sentence=sentence), status)
